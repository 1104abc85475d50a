// The options of `rloo`, `grpo` and `online-dpo`: answers to one prompt are compared. Must not import any room.

import { z } from "zod";
import { lossOptions } from "./dpo-options.js";
import { pairwiseLossNames } from "./loss-names.js";
import { onlineOptions } from "./online-options.js";
import { option } from "./shared-options.js";

const training = { group: "Training", value: "X" } as const;

const learningRate = option(
  z.number().positive().optional(),
  "peak learning rate of AdamW (default: 1e-6; of an adapter 1e-5)",
  training,
);

/** Answers to each prompt. */
function samples(usual: number) {
  return option(z.number().int().min(2).default(usual), "answers to each prompt, which are compared", {
    group: "Sampling",
    value: "N",
  });
}

const clipOptions = {
  clipLow: option(
    z.number().min(0).lt(1).default(0.2),
    "how far below 1 a ratio of probabilities is followed",
    training,
  ),
  clipHigh: option(
    z.number().positive().default(0.2),
    "how far above 1 it is followed; above clip-low rare tokens may grow faster (clip-higher)",
    training,
  ),
};

const rlooShared = onlineOptions({ batchSize: 64, maxNewTokens: 128, temperature: 1 });

export const rlooOptions = z.strictObject({
  ...rlooShared.files,
  ...rlooShared.sampling,
  samples: samples(4),
  ...rlooShared.rewards,
  ...rlooShared.loop,
  learningRate,
  beta: option(
    z.number().min(0).default(0.05),
    "coefficient of the KL penalty on the score of an answer: strength of the pull to the reference; at 0 the KL is measured on evaluation prompts alone",
    training,
  ),
  ratio: option(
    z.enum(["sequence", "token"]).default("sequence"),
    "ratio of the probabilities of whole answers, which long answers soon clip, or token by token",
    { group: "Training" },
  ),
  scaleAdvantages: option(
    z.boolean().default(false),
    "divide the advantages of a rollout by their standard deviation, around their mean",
    { group: "Training" },
  ),
  ...clipOptions,
  ...rlooShared.adapter,
  ...rlooShared.watch,
  ...rlooShared.rest,
});

const grpoShared = onlineOptions({ batchSize: 32, maxNewTokens: 128, temperature: 1 });

export const grpoOptions = z.strictObject({
  ...grpoShared.files,
  ...grpoShared.sampling,
  samples: samples(8),
  ...grpoShared.rewards,
  ...grpoShared.loop,
  learningRate,
  beta: option(
    z.number().min(0).default(0),
    "coefficient of the KL to the reference (k3) in the loss; at 0 the KL is measured on evaluation prompts alone",
    training,
  ),
  aggregate: option(
    z.enum(["dapo", "bnpo", "grpo", "dr_grpo", "cispo"]).default("dapo"),
    "losses of tokens: their mean over the update (dapo, bnpo), the mean over answers of means (grpo), their sum by " +
      "max-new-tokens (dr_grpo), or as dapo with ratios that only weigh (cispo)",
    { group: "Training" },
  ),
  scaleRewards: option(
    z.enum(["group", "batch", "none"]).optional(),
    "advantages are divided by the deviation of their prompt's rewards, of the rollout's, or not " +
      "(default: group; of dr_grpo none)",
    { group: "Training" },
  ),
  ratio: option(
    z.enum(["token", "sequence"]).default("token"),
    "ratios of probabilities token by token, or the mean of an answer (GSPO)",
    { group: "Training" },
  ),
  ...clipOptions,
  ratioCap: option(
    z.number().gt(1).optional(),
    "the largest ratio that counts: of negative advantages (GRPO's delta), or of cispo (default there: 5)",
    training,
  ),
  ...grpoShared.adapter,
  ...grpoShared.watch,
  ...grpoShared.rest,
});

const onlineDpoShared = onlineOptions({ batchSize: 64, maxNewTokens: 128, temperature: 0.9 });

export const onlineDpoOptions = z.strictObject({
  ...onlineDpoShared.files,
  ...onlineDpoShared.sampling,
  samples: samples(2),
  ...onlineDpoShared.rewards,
  ...onlineDpoShared.loop,
  learningRate,
  ...lossOptions,
  loss: option(
    z.array(z.enum(pairwiseLossNames)).min(1).default(["sigmoid"]),
    `loss of a pair of answers (${pairwiseLossNames.join(", ")}), or several of them added up; docs/losses.md says what each is for`,
    { group: "Training", value: "NAMES", separator: "," },
  ),
  ...onlineDpoShared.adapter,
  ...onlineDpoShared.watch,
  ...onlineDpoShared.rest,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const groupLearningRates = { full: 1e-6, adapter: 1e-5 } as const;

export type RlooSettingsInput = z.input<typeof rlooOptions>;
export type RlooSettings = z.output<typeof rlooOptions>;
export type GrpoSettingsInput = z.input<typeof grpoOptions>;
export type GrpoSettings = z.output<typeof grpoOptions>;
export type OnlineDpoSettingsInput = z.input<typeof onlineDpoOptions>;
export type OnlineDpoSettings = z.output<typeof onlineDpoOptions>;
