// The reward of every token of a rollout: a KL penalty at each, the score at the last. Pure, double precision.

import { fail } from "../errors/index.js";
import { type TokenKl, tokenKl } from "./kl-penalty.js";
import { expectSequences, expectTokens, meanOf, type Numbers, sumsOver, varianceOf } from "./sequences.js";

export interface TokenRewards extends TokenKl {
  /** [samples + 1] */
  readonly starts: Numbers;
  /** [samples] */
  readonly scores: Numbers;
  /** beta */
  readonly coefficient: number;
}

/**
 * [tokens] g_t = -beta k_t, and g_n += S at the last token y_n (semantics: PPO, rollout, 4). Throws ATTUNE_REWARD for a
 * sample without a score, ATTUNE_SHAPE for arrays of other lengths.
 */
export function tokenRewards(request: TokenRewards): Float64Array {
  const { starts, scores, coefficient, logprobs, referenceLogprobs, exactKl } = request;
  expectTokens(starts, { logprobs, referenceLogprobs, exactKl });
  expectSequences(starts, { scores });
  const rewards = tokenKl(request).map((kl) => -coefficient * kl);
  for (let sample = 0; sample < scores.length; sample++) {
    const last = (starts[sample + 1] ?? 0) - 1;
    rewards[last] = (rewards[last] ?? Number.NaN) + scoreOf(scores, sample);
  }
  return rewards;
}

function scoreOf(scores: Numbers, sample: number): number {
  const score = scores[sample] ?? Number.NaN;
  if (!Number.isNaN(score)) return score;
  const text = `Expected a reward for every sample but sample ${sample} has none: each function that scores it said null.`;
  throw fail(
    "ATTUNE_REWARD",
    `${text} rloo, grpo and online-dpo, which compare the answers of a group, leave such answers out; ppo cannot.`,
  );
}

/** [samples] R_i = S_i - beta sum_t (old_t - ref_t): the reward of a whole answer (RLOO). */
export function penalisedScores({
  starts,
  scores,
  coefficient,
  logprobs,
  referenceLogprobs,
}: Omit<TokenRewards, "estimator" | "exactKl">): Float64Array {
  expectTokens(starts, { logprobs, referenceLogprobs });
  expectSequences(starts, { scores });
  const kl = sumsOver(
    starts,
    (token) => (logprobs[token] ?? Number.NaN) - (referenceLogprobs[token] ?? Number.NaN),
  );
  return Float64Array.from(scores, (score, i) => score - coefficient * (kl[i] ?? Number.NaN));
}

export interface Whitening {
  /** Take the mean off. */
  readonly center: boolean;
  /** Divide distances to the mean by the standard deviation. */
  readonly scale: boolean;
  /** Variance over n - 1 instead of n. Default false. */
  readonly unbiased?: boolean;
}

/**
 * [values] (x - mean) / sqrt(var + 1e-8), over all values together. Without `center` the mean is put back, without `scale`
 * nothing is divided.
 */
export function whiten(values: Numbers, { center, scale, unbiased = false }: Whitening): Float64Array {
  const mean = meanOf(values);
  const factor = scale ? 1 / Math.sqrt(varianceOf(values, { unbiased }) + 1e-8) : 1;
  const kept = center ? 0 : mean;
  return Float64Array.from(values, (value) => (value - mean) * factor + kept);
}
