// The options of every command as the command line takes them: for trainers those of the trainer and its own.
// Must not import any room.

import { dpoOptions } from "./dpo-options.js";
import { sftOptions } from "./sft-options.js";
import { commandOptions, doctorOptions, quickstartOptions } from "./shared-options.js";

export const commandSchemas = {
  sft: sftOptions.extend(commandOptions),
  dpo: dpoOptions.extend(commandOptions),
  quickstart: quickstartOptions,
  doctor: doctorOptions,
} as const;
