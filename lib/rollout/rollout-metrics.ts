// Metrics of a rollout under the names that TRL gives them. Pure, double precision; means are over samples or groups.

import { comparedOf, expectGroups, isReward } from "./group-advantages.js";
import { type TokenKl, tokenKl } from "./kl-penalty.js";
import { endedOf, type Rollout, type SampledRollout } from "./rollout.js";
import {
  expectSequences,
  expectTokens,
  lengthsOf,
  meanOf,
  type Numbers,
  sumsOver,
  varianceOf,
} from "./sequences.js";

export interface ObjectiveInput extends TokenKl {
  /** [samples + 1] */
  readonly starts: Numbers;
  /** [samples] as they were rewarded: after the treatment of missing EOS, clipping and normalisation. */
  readonly scores: Numbers;
  /** beta */
  readonly coefficient: number;
}

/** Means over samples; scores over those that have one, and missing where none has. */
export interface ObjectiveMetrics {
  /** Of sum_t k_t as the estimator measures it, nats; the adaptive coefficient follows `meanAnswerKl`. */
  readonly "objective/kl": number;
  readonly "objective/kl_coef": number;
  /** Of -sum_t log pi_old, nats. */
  readonly "objective/entropy": number;
  /** Of -beta sum_t k_t. */
  readonly "objective/non_score_reward": number;
  readonly "objective/scores"?: number;
  /** The two above together. */
  readonly "objective/rlhf_reward"?: number;
}

/** Throws ATTUNE_SHAPE. */
export function objectiveMetrics(input: ObjectiveInput): ObjectiveMetrics {
  const { starts, scores, coefficient, logprobs, referenceLogprobs, exactKl } = input;
  expectTokens(starts, { logprobs, referenceLogprobs, exactKl });
  expectSequences(starts, { scores });
  const meanSum = (values: Numbers) => meanOf(sumsOver(starts, (token) => values[token] ?? Number.NaN));
  const kl = meanSum(tokenKl(input));
  const penalty = -coefficient * kl;
  const score = meanOf(Array.from(scores).filter(isReward));
  return {
    "objective/kl": kl,
    "objective/kl_coef": coefficient,
    "objective/entropy": -meanSum(logprobs),
    "objective/non_score_reward": penalty,
    ...known("objective/scores", score),
    ...known("objective/rlhf_reward", score + penalty),
  };
}

/** Lengths are in tokens, the stop token included. */
export interface CompletionMetrics {
  /** Answers that ended with a stop token. */
  readonly "val/num_eos_tokens": number;
  readonly "completions/mean_length": number;
  readonly "completions/min_length": number;
  readonly "completions/max_length": number;
  /** Of the answers that ended; 0 where none did. */
  readonly "completions/mean_terminated_length": number;
  /** Share of answers that were cut before they ended. */
  readonly "completions/clipped_ratio": number;
}

export function completionMetrics(rollout: Pick<SampledRollout, "starts" | "finish">): CompletionMetrics {
  const lengths = lengthsOf(rollout.starts);
  const ended = endedOf(rollout);
  const terminated = lengths.filter((_, sample) => ended[sample] === 1);
  return {
    "val/num_eos_tokens": terminated.length,
    "completions/mean_length": meanOf(lengths),
    "completions/min_length": lengths.reduce((least, length) => Math.min(least, length)),
    "completions/max_length": lengths.reduce((most, length) => Math.max(most, length)),
    "completions/mean_terminated_length": terminated.length === 0 ? 0 : meanOf(terminated),
    "completions/clipped_ratio": 1 - terminated.length / lengths.length,
  };
}

/** Samples and groups without rewards are left out; a mean over nothing is missing. */
export interface RewardMetrics {
  readonly reward?: number;
  /** Mean over prompts of the standard deviation (n - 1) of their answers' rewards. */
  readonly reward_std?: number;
  /** Share of prompts whose answers all have the same reward, and teach nothing. */
  readonly frac_reward_zero_std?: number;
  readonly [source: `rewards/${string}/mean`]: number;
}

/**
 * `scores` are the weighted sums; those of sources are before weighting. `treated`: [samples] what answers are compared by, as the
 * spreads are of; default the scores.
 */
export function rewardMetrics(
  { scores, samples, sources }: Pick<Rollout, "scores" | "samples" | "sources">,
  treated: Numbers = scores,
): RewardMetrics {
  expectGroups(scores, samples);
  expectGroups(treated, samples);
  const compared = comparedOf({ rewards: treated, samples });
  const groups = Array.from({ length: scores.length / samples }, (_, prompt) => {
    const first = prompt * samples;
    return Array.from(treated)
      .slice(first, first + samples)
      .filter((_score, i) => compared[first + i] === 1);
  }).filter(({ length }) => length > 0);
  const deviations = groups.map((group) => Math.sqrt(varianceOf(group, { unbiased: true })));
  const same = groups.filter((group) => group.every((reward) => reward === group[0])).length;
  return {
    ...known("reward", meanOf(scores.filter(isReward))),
    ...known("reward_std", meanOf(deviations)),
    ...known("frac_reward_zero_std", same / groups.length),
    ...Object.fromEntries(
      sources.flatMap((source) =>
        Object.entries(known(`rewards/${source.name}/mean`, meanOf(source.scores.filter(isReward)))),
      ),
    ),
  };
}

function known(name: string, value: number): Readonly<Record<string, number>> {
  return Number.isNaN(value) ? {} : { [name]: value };
}
