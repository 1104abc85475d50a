// The options of every command as the command line takes them: for trainers those of the trainer and its own.
// Must not import any room.

import { z } from "zod";
import { benchOptions } from "./bench-options.js";
import { buildOptions, convertOptions } from "./convert-options.js";
import { dpoOptions } from "./dpo-options.js";
import { evaluateOptions, scoreOptions } from "./evaluate-options.js";
import {
  feedbackAgreementOptions,
  feedbackBackupOptions,
  feedbackExportOptions,
  feedbackImportOptions,
  feedbackRatingsOptions,
  feedbackRebuildOptions,
  feedbackServeOptions,
  feedbackTokenOptions,
} from "./feedback-options.js";
import { generateOptions } from "./generate-options.js";
import { grpoOptions, onlineDpoOptions, rlooOptions } from "./group-options.js";
import { ktoOptions } from "./kto-options.js";
import { ppoOptions } from "./ppo-options.js";
import { reportOptions } from "./report-options.js";
import { rewardOptions } from "./reward-options.js";
import { sftOptions } from "./sft-options.js";
import { commandOptions, doctorOptions, option, quickstartOptions } from "./shared-options.js";

/** What a command that takes a configuration file can say about its options instead of doing its work. */
const printOptions = {
  printConfig: option(
    z.boolean().default(false),
    "print the options with their defaults as a YAML file for --config, and do nothing else",
    { group: "Output" },
  ),
  printSchema: option(
    z.boolean().default(false),
    "print the JSON Schema of the configuration file, and do nothing else",
    { group: "Output" },
  ),
};

export const commandSchemas = {
  sft: sftOptions.extend({ ...commandOptions, ...printOptions }),
  dpo: dpoOptions.extend({ ...commandOptions, ...printOptions }),
  kto: ktoOptions.extend({ ...commandOptions, ...printOptions }),
  reward: rewardOptions.extend({ ...commandOptions, ...printOptions }),
  ppo: ppoOptions.extend({ ...commandOptions, ...printOptions }),
  rloo: rlooOptions.extend({ ...commandOptions, ...printOptions }),
  grpo: grpoOptions.extend({ ...commandOptions, ...printOptions }),
  "online-dpo": onlineDpoOptions.extend({ ...commandOptions, ...printOptions }),
  generate: generateOptions.extend(printOptions),
  score: scoreOptions.extend(printOptions),
  evaluate: evaluateOptions.extend(printOptions),
  "feedback serve": feedbackServeOptions.extend(printOptions),
  "feedback import": feedbackImportOptions,
  "feedback export": feedbackExportOptions,
  "feedback ratings": feedbackRatingsOptions,
  "feedback agreement": feedbackAgreementOptions,
  "feedback token": feedbackTokenOptions,
  "feedback backup": feedbackBackupOptions,
  "feedback rebuild": feedbackRebuildOptions,
  convert: convertOptions,
  quickstart: quickstartOptions,
  report: reportOptions,
  bench: benchOptions,
  doctor: doctorOptions,
  build: buildOptions,
} as const;

/** Commands that take `--config`. */
export type ConfiguredCommand =
  | "sft"
  | "dpo"
  | "kto"
  | "reward"
  | "ppo"
  | "rloo"
  | "grpo"
  | "online-dpo"
  | "generate"
  | "score"
  | "evaluate"
  | "feedback serve";
