// The options of every training command as the command line takes them: those of the trainer and its own.
// Must not import any room.

import { dpoOptions } from "./dpo-options.js";
import { sftOptions } from "./sft-options.js";
import { commandOptions } from "./shared-options.js";

export const commandSchemas = {
  sft: sftOptions.extend(commandOptions),
  dpo: dpoOptions.extend(commandOptions),
} as const;
