// The options of `dpo`. Must not import any room.

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

export const dpoOptions = z.strictObject({
  ...fileOptions,
  cache: option(
    z.string().min(1).optional(),
    'log-probs of the frozen reference: a folder shared between runs, or "off" to compute them at every visit ' +
      "(default: kept in the run's folder)",
    { group: "Files", value: "DIR|off" },
  ),
  ...loopOptions,
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 1e-6; of an adapter 1e-5)",
    { group: "Training", value: "X" },
  ),
  beta: option(
    z.number().positive().default(0.1),
    "strength of the pull to the reference; small moves the policy further",
    { group: "Training", value: "X" },
  ),
  loss: option(z.enum(["sigmoid"]).default("sigmoid"), "loss of a pair", { group: "Training" }),
  labelSmoothing: option(
    z.number().min(0).lt(0.5).default(0),
    "share of pairs whose judgement is assumed to be the wrong way round",
    { group: "Training", value: "X" },
  ),
  ...adapterOptions,
  ...evaluationOptions,
  format: option(
    z.enum(["auto", "preference", "hh"]).default("auto"),
    "what the rows are; hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  ...rowOptions,
  ties: option(
    z.enum(["keep", "drop"]).default("keep"),
    "pairs of which neither side is better (label 0.5): learn that they are equal, or leave them out",
    { group: "Rows" },
  ),
  truncate: option(
    z.boolean().default(false),
    "cut rows over max-length (the prompt's end and the completion's start stay) instead of dropping them",
    { group: "Rows" },
  ),
  ...machineOptions,
  ...outputOptions,
  ...sampleOptions,
  ...checkpointOptions,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const dpoLearningRates = { full: 1e-6, adapter: 1e-5 } as const;

/** What `dpo` takes. */
export type DpoSettingsInput = z.input<typeof dpoOptions>;
/** The same with every default filled in. */
export type DpoSettings = z.output<typeof dpoOptions>;
