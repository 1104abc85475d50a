// From a scored rollout to what PPO learns: rewards of tokens, advantages, returns. docs/rollouts.md has the equations.
// Pure numbers; must not use a model.

import type { PpoSettings } from "../options/index.js";
import {
  generalisedAdvantages,
  type KlController,
  meanAnswerKl,
  type Numbers,
  objectiveMetrics,
  type Rollout,
  sequenceAdvantages,
  tokenRewards,
  whiten,
} from "../rollout/index.js";

export interface PpoObjective {
  /** [tokens] whitened where asked for. */
  readonly advantages: Float64Array;
  /** [tokens] what values are fitted to; NaN where none is. */
  readonly returns: Float64Array;
  /** Mean over answers of sum_t k1, nats. */
  readonly kl: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface ObjectiveRequest {
  readonly rollout: Rollout;
  /** [samples] after their treatment. */
  readonly scores: Numbers;
  readonly controller: KlController;
  readonly settings: Pick<
    PpoSettings,
    "kl" | "gamma" | "lambda" | "advantage" | "whitenAdvantages" | "whitenUnbiased" | "whitenRewards"
  >;
}

/** Throws ATTUNE_REWARD for a sample without a score. */
export function ppoObjective({ rollout, scores, controller, settings }: ObjectiveRequest): PpoObjective {
  const { starts, logprobs, referenceLogprobs, values, exactKl } = rollout;
  if (referenceLogprobs === undefined || values === undefined)
    throw new Error("a rollout without reference or values");
  const { gamma, lambda, advantage, whitenAdvantages, whitenUnbiased: unbiased, whitenRewards } = settings;
  const measured = { starts, scores, estimator: settings.kl, logprobs, referenceLogprobs, exactKl } as const;
  const penalised = { ...measured, coefficient: controller.coefficient };
  const plain = tokenRewards(penalised);
  const rewards =
    whitenRewards === "none"
      ? plain
      : whiten(plain, { center: whitenRewards === "full", scale: true, unbiased });
  const game = { starts, rewards, values };
  const found = advantage === "gae" ? generalisedAdvantages({ ...game, gamma, lambda }) : ofSequences(game);
  const advantages = whitenAdvantages
    ? whiten(found.advantages, { center: true, scale: true, unbiased })
    : found.advantages;
  return {
    advantages,
    returns: found.returns,
    kl: meanAnswerKl({ starts, logprobs, referenceLogprobs }),
    metrics: {
      ...objectiveMetrics(penalised),
      "val/var_explained": explained(found.returns, values),
    },
  };
}

/** The value of an answer is that of its first token; no other one is fitted. */
function ofSequences(game: Parameters<typeof sequenceAdvantages>[0]) {
  const { advantages, returns } = sequenceAdvantages(game);
  const spread = new Float64Array(advantages.length).fill(Number.NaN);
  for (const [sample, value] of returns.entries()) spread[game.starts[sample] ?? 0] = value;
  return { advantages, returns: spread };
}

/** 1 - var(R - V) / var(R): 1 is a perfect value network, 0 no better than a constant; 0 where all returns are equal. */
function explained(returns: Float64Array, values: Float32Array): number {
  const known = returns.map((value, i) => value - (values[i] ?? Number.NaN));
  const of = (list: Float64Array) => {
    const found = list.filter((value) => !Number.isNaN(value));
    const mean = found.reduce((sum, value) => sum + value, 0) / Math.max(1, found.length);
    return found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, found.length);
  };
  const all = of(returns);
  return all === 0 ? 0 : 1 - of(known) / all;
}
