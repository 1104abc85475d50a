// Public names of the options room. Must not import any room but errors.

export { type CheckRequest, checkOptions, type Spelling, spelled } from "./check-options.js";
export { commandSchemas } from "./command-schemas.js";
export { configText, type ReadConfigRequest, readConfigFile } from "./config-file.js";
export { optionsMarkdown } from "./docs-table.js";
export { type DpoSettings, type DpoSettingsInput, dpoOptions } from "./dpo-options.js";
export { dashedName, defaultText, type OptionRow, optionTable } from "./option-table.js";
export { type SftSettings, type SftSettingsInput, sftOptions } from "./sft-options.js";
export { commandOptions, type OptionGroup, type OptionMeta, optionGroups } from "./shared-options.js";
