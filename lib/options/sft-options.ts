// The options of `sft`. Must not import any room.

import { z } from "zod";
import {
  adapterOptions,
  checkpointOptions,
  evaluationOptions,
  fileOptions,
  loopOptions,
  machineOptions,
  option,
  outputOptions,
  rowOptions,
  sampleOptions,
} from "./shared-options.js";

export const sftOptions = z.strictObject({
  ...fileOptions,
  ...loopOptions,
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 2e-5; of an adapter 2e-4)",
    { group: "Training", value: "X" },
  ),
  ...adapterOptions,
  ...evaluationOptions,
  format: option(
    z.enum(["auto", "text", "prompt-completion", "preference", "hh"]).default("auto"),
    "what the rows are; auto tells it from the columns of the first one; of a preference row prompt and chosen are used; " +
      "hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  assistantOnly: option(
    z.boolean().optional(),
    "learn only what the assistant says (default: in rows of messages without a prompt)",
    { group: "Rows" },
  ),
  ...rowOptions,
  ...machineOptions,
  ...outputOptions,
  ...sampleOptions,
  ...checkpointOptions,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const sftLearningRates = { full: 2e-5, adapter: 2e-4 } as const;

/** What `sft` takes. */
export type SftSettingsInput = z.input<typeof sftOptions>;
/** The same with every default filled in. */
export type SftSettings = z.output<typeof sftOptions>;
