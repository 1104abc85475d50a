// The options of `ppo`. Must not import any room.

import { z } from "zod";
import { onlineOptions } from "./online-options.js";
import { option } from "./shared-options.js";

const training = { group: "Training", value: "X" } as const;
const count = { group: "Training", value: "N" } as const;
const shared = onlineOptions({ batchSize: 512, maxNewTokens: 53, temperature: 0.7 });

export const ppoOptions = z.strictObject({
  ...shared.files,
  valueModel: option(
    z.string().min(1).optional(),
    'model that the value network starts from (default: the first reward model), or "policy": a new head on the policy',
    { group: "Files", value: "PATH|policy" },
  ),
  ptxData: option(
    z.array(z.string().min(1)).min(1).optional(),
    "texts of pre-training, which join every optimiser step (PPO-ptx); may be repeated",
    { group: "Files", value: "FILE" },
  ),
  ...shared.sampling,
  samples: option(z.number().int().min(1).default(1), "answers to each prompt", {
    group: "Sampling",
    value: "N",
  }),
  ...shared.rewards,
  ...shared.loop,
  updateEpochs: option(z.number().int().min(1).default(4), "passes over the answers of a rollout", count),
  learningRate: option(
    z.number().positive().optional(),
    "peak learning rate of AdamW (default: 3e-6; of an adapter 3e-5)",
    training,
  ),
  valueLearningRate: option(
    z.number().positive().optional(),
    "that of the value network (default: the policy's)",
    training,
  ),
  beta: option(
    z.number().min(0).default(0.05),
    "coefficient of the KL penalty: strength of the pull to the reference",
    training,
  ),
  kl: option(
    z.enum(["k1", "k2", "k3", "full"]).default("k1"),
    "how the KL of a token is measured: estimates from its log-ratio d (k1 = d, k2 = d²/2, k3 = e^-d - 1 + d), or exactly over the " +
      "vocabulary",
    { group: "Training" },
  ),
  klTarget: option(
    z.number().positive().optional(),
    "nats per answer that an adaptive coefficient steers to; beta is then where it starts (default: beta stays fixed)",
    training,
  ),
  klHorizon: option(
    z.number().positive().default(10_000),
    "answers over which the adaptive coefficient may change by about a fifth",
    training,
  ),
  gamma: option(z.number().min(0).max(1).default(1), "discount of later rewards", training),
  lambda: option(
    z.number().min(0).max(1).default(0.95),
    "of generalised advantage estimation: 0 trusts the value network, 1 the rewards",
    training,
  ),
  advantage: option(
    z.enum(["gae", "sequence"]).default("gae"),
    "advantages token by token, or the answer as one action whose value is that of its first token",
    { group: "Training" },
  ),
  whitenAdvantages: option(
    z.boolean().default(true),
    "shift and scale the advantages of a rollout to mean 0 and variance 1",
    { group: "Training" },
  ),
  whitenUnbiased: option(z.boolean().default(false), "with a variance over n - 1 (as TRL) instead of n", {
    group: "Training",
  }),
  whitenRewards: option(
    z.enum(["none", "scale", "full"]).default("none"),
    "rewards of tokens are left alone, divided by their deviation, or also centred",
    { group: "Training" },
  ),
  clipLow: option(
    z.number().min(0).lt(1).default(0.2),
    "how far below 1 a ratio of probabilities is followed",
    training,
  ),
  clipHigh: option(z.number().positive().default(0.2), "how far above 1 it is followed", training),
  clipValue: option(
    z.number().min(0).default(0.2),
    "how far a value may move from that of the rollout; 0 lets it go anywhere",
    training,
  ),
  valueWeight: option(z.number().min(0).default(0.1), "weight of the value loss", training),
  entropyWeight: option(z.number().min(0).default(0), "weight of the entropy bonus", training),
  reduction: option(
    z.enum(["token", "sequence"]).default("token"),
    "losses are means over all tokens, or over answers of their means",
    { group: "Training" },
  ),
  targetKl: option(
    z.number().positive().optional(),
    "end the updates of a rollout once the policy has moved by 1.5 times this many nats per token",
    training,
  ),
  ptxWeight: option(
    z.number().min(0).optional(),
    "weight of the loss of pre-training texts (default: 1 where there are any)",
    training,
  ),
  ptxBatchSize: option(
    z.number().int().min(1).default(8),
    "texts of pre-training in each optimiser step",
    count,
  ),
  ...shared.adapter,
  ...shared.watch,
  ...shared.rest,
});

/** Peak learning rates where none is given: of all weights, and of an adapter. */
export const ppoLearningRates = { full: 3e-6, adapter: 3e-5 } as const;

/** What `ppo` takes. */
export type PpoSettingsInput = z.input<typeof ppoOptions>;
/** The same with every default filled in. */
export type PpoSettings = z.output<typeof ppoOptions>;
