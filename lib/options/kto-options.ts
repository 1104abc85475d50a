// The options of `kto`. Must not import any room.

import { z } from "zod";
import {
  adapterOptions,
  checkpointOptions,
  evaluationOptions,
  fileOptions,
  loopOptions,
  machineOptions,
  offloadOptions,
  option,
  outputOptions,
  rowOptions,
  sampleOptions,
} from "./shared-options.js";

const training = { group: "Training", value: "X" } as const;

export const ktoOptions = z.strictObject({
  ...fileOptions,
  reference: option(
    z.string().min(1).optional(),
    "another model as reference, of the same vocabulary (default: the start of the trained one)",
    { group: "Files", value: "PATH" },
  ),
  cache: option(
    z.string().min(1).optional(),
    'log-probs of the frozen reference: a folder shared between runs, or "off" to compute them at every visit ' +
      "(default: kept in the run's folder)",
    { group: "Files", value: "DIR|off" },
  ),
  ...loopOptions,
  batchSize: option(
    z.number().int().min(1).default(8),
    "rows (answers) of one optimiser step; the loss kto needs two or more",
    { group: "Training", value: "N" },
  ),
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 1e-6; of an adapter 1e-5)",
    training,
  ),
  loss: option(
    z.enum(["kto", "apo_zero_unpaired", "bco"]).default("kto"),
    "loss of an answer: docs/cli/kto.md says what each is for",
    { group: "Training" },
  ),
  beta: option(
    z.number().positive().default(0.1),
    "strength of the pull to the reference; small moves the policy further",
    training,
  ),
  desirableWeight: option(
    z.number().min(0).default(1),
    "what the loss of good answers is multiplied by",
    training,
  ),
  undesirableWeight: option(
    z.number().min(0).default(1),
    "what the loss of bad answers is multiplied by",
    training,
  ),
  bcoDelta: option(
    z.number().default(0),
    "bco: the reward at which an answer counts as good as bad, subtracted from all rewards",
    training,
  ),
  ...adapterOptions,
  ...evaluationOptions,
  format: option(
    z.enum(["auto", "unpaired", "preference", "hh"]).default("auto"),
    "what the rows are; of a preference row the better side is a good answer, the worse one a bad one; " +
      "hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  ...rowOptions,
  truncate: option(
    z.boolean().default(false),
    "cut rows over max-length (the prompt's end and the completion's start stay) instead of dropping them",
    { group: "Rows" },
  ),
  allowOneLabel: option(
    z.boolean().default(false),
    "train on rows that are all good, or all bad: there is then nothing to tell apart",
    { group: "Rows" },
  ),
  ...machineOptions,
  ...offloadOptions,
  ...outputOptions,
  ...sampleOptions,
  ...checkpointOptions,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const ktoLearningRates = { full: 1e-6, adapter: 1e-5 } as const;

/** What `kto` takes. */
export type KtoSettingsInput = z.input<typeof ktoOptions>;
/** The same with every default filled in. */
export type KtoSettings = z.output<typeof ktoOptions>;
