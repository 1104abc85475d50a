// The options of `reward`. Must not import any room.

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
} from "./shared-options.js";

const headOptions = {
  loss: option(
    z
      .enum([
        "auto",
        "bradley-terry",
        "all-pairs",
        "plackett-luce",
        "best-of-k",
        "rating",
        "rao-kupper",
        "davidson",
      ])
      .default("auto"),
    "loss of a prompt's scores; auto takes bradley-terry for pairs, plackett-luce for rankings, best-of-k for the best of " +
      "several, rating for ratings",
    { group: "Training" },
  ),
  centring: option(
    z.number().min(0).default(0),
    "weight of (r_chosen + r_rejected)^2 in the loss of a pair, which keeps scores near 0; typical: 0.01",
    { group: "Training", value: "X" },
  ),
  headInit: option(
    z.enum(["normal", "zero"]).optional(),
    "where the head of a language model starts: normal draws N(0, 1/(d+1)) (default); a reward model keeps its own head",
    { group: "Training" },
  ),
  heads: option(
    z.number().int().min(1).max(64).optional(),
    "heads on the one trunk, an ensemble: each with a start and Poisson(1) weights of the rows of its own (default: 1)",
    { group: "Training", value: "N" },
  ),
  normalise: option(
    z.enum(["mean", "unit", "none"]).default("mean"),
    "after training: shift the scores so that reference completions have mean 0 (mean), and divide by their spread (unit)",
    { group: "Training" },
  ),
};

const judgementOptions = {
  format: option(
    z.enum(["auto", "preference", "ranking", "best-of", "rating", "hh"]).default("auto"),
    "what the rows are; auto tells it from the columns of the first one; hh: transcripts with Human: and Assistant: become messages",
    { group: "Rows" },
  ),
  ties: option(
    z.enum(["half", "drop", "breslow", "average", "marginal"]).optional(),
    "equal answers: half (label 0.5) or drop in pairs (default: half); breslow, average or marginal in plackett-luce " +
      "(default: breslow)",
    { group: "Rows" },
  ),
  axis: option(
    z.array(z.string().min(1)).min(1).optional(),
    "of ratings: learn these axes alone, one head each (default: all axes by one head)",
    { group: "Rows", value: "NAMES", separator: "," },
  ),
  ratingScale: option(
    z.array(z.number()).length(2).optional(),
    "least and most that a rating may be, as 1,5; a rating outside is a bad row (default: any number)",
    { group: "Rows", value: "MIN,MAX", separator: "," },
  ),
};

export const rewardOptions = z.strictObject({
  ...fileOptions,
  referenceData: option(
    z.array(z.string().min(1)).min(1).optional(),
    "prompt-completion rows whose scores normalise sets to mean 0 (default: the best answers of the training rows); may be repeated",
    { group: "Files", value: "FILE" },
  ),
  ...loopOptions,
  batchSize: option(z.number().int().min(1).default(64), "rows (prompts) of one optimiser step", {
    group: "Training",
    value: "N",
  }),
  schedule: option(
    z.enum(["constant", "linear", "cosine"]).default("cosine"),
    "course of the learning rate after warm-up: constant, or falling to 0 in a line or half a cosine",
    { group: "Training" },
  ),
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 3e-6; of an adapter 3e-5)",
    { group: "Training", value: "X" },
  ),
  ...headOptions,
  ...adapterOptions,
  ...evaluationOptions,
  ...judgementOptions,
  ...rowOptions,
  ...machineOptions,
  ...outputOptions,
  ...checkpointOptions,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const rewardLearningRates = { full: 3e-6, adapter: 3e-5 } as const;

/** What `reward` takes. */
export type RewardSettingsInput = z.input<typeof rewardOptions>;
/** The same with every default filled in. */
export type RewardSettings = z.output<typeof rewardOptions>;
