// Public names of the options room. Must not import any room but errors.

export { alarmNames } from "./alarm-names.js";
export { type BenchSettings, benchOptions } from "./bench-options.js";
export { type CheckRequest, checkOptions, type Spelling, spelled } from "./check-options.js";
export { type ConfiguredCommand, commandSchemas } from "./command-schemas.js";
export { configText, type ReadConfigRequest, readConfigFile } from "./config-file.js";
export { type ConvertSettings, convertOptions } from "./convert-options.js";
export { optionsMarkdown } from "./docs-table.js";
export { type DpoSettings, type DpoSettingsInput, dpoLearningRates, dpoOptions } from "./dpo-options.js";
export {
  type EvaluateSettings,
  evaluateOptions,
  type ScoreSettings,
  scoreOptions,
} from "./evaluate-options.js";
export {
  type FeedbackAgreementSettings,
  type FeedbackExportSettings,
  type FeedbackImportSettings,
  type FeedbackRatingsSettings,
  type FeedbackServeSettings,
  type FeedbackTokenSettings,
  feedbackConsensusModes,
  feedbackImportFormats,
  feedbackRoles,
  feedbackRowKinds,
  feedbackSelectors,
  feedbackStyles,
} from "./feedback-options.js";
export { type GenerateSettings, generateOptions } from "./generate-options.js";
export {
  type GrpoSettings,
  type GrpoSettingsInput,
  groupLearningRates,
  grpoOptions,
  type OnlineDpoSettings,
  type OnlineDpoSettingsInput,
  onlineDpoOptions,
  type RlooSettings,
  type RlooSettingsInput,
  rlooOptions,
} from "./group-options.js";
export { optionsJsonSchema } from "./json-schema.js";
export { type KtoSettings, type KtoSettingsInput, ktoLearningRates, ktoOptions } from "./kto-options.js";
export {
  feedbackLoopOptions,
  type LoopSettings,
  type LoopSettingsInput,
  loopSettings,
} from "./loop-options.js";
export {
  type DpoLossName,
  dpoLosses,
  dpoLossNames,
  type LossFacts,
  type LossParameter,
  lossesMarkdown,
  lossesWith,
  lossParameters,
  tieTreatments,
} from "./loss-names.js";
export { dashedName, defaultText, notInFiles, type OptionRow, optionTable } from "./option-table.js";
export { type PpoSettings, type PpoSettingsInput, ppoLearningRates, ppoOptions } from "./ppo-options.js";
export { type ReportSettings, reportOptions } from "./report-options.js";
export {
  type RewardSettings,
  type RewardSettingsInput,
  rewardLearningRates,
  rewardOptions,
} from "./reward-options.js";
export { type SftSettings, type SftSettingsInput, sftLearningRates, sftOptions } from "./sft-options.js";
export { commandOptions, type OptionGroup, type OptionMeta, optionGroups } from "./shared-options.js";
