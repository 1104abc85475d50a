// Advantages of tokens under a value function: generalised advantage estimation, and the game of one step.
// Pure, double precision; each sequence by itself.

import { expectTokens, type Numbers } from "./sequences.js";

export interface TokenAdvantages {
  /** [samples + 1] */
  readonly starts: Numbers;
  /** [tokens] g_t */
  readonly rewards: Numbers;
  /** [tokens] V_t, read at the position that predicts y_t; beyond the end V is 0. */
  readonly values: Numbers;
}

export interface GeneralisedAdvantages extends TokenAdvantages {
  readonly gamma: number;
  readonly lambda: number;
}

export interface Advantages {
  /** [tokens] A_t */
  readonly advantages: Float64Array;
  /** [tokens] R_t = A_t + V_t, what the value function is fitted to. */
  readonly returns: Float64Array;
}

/**
 * delta_t = g_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lambda A_{t+1}, R_t = A_t + V_t (Schulman et al. 2016, arXiv
 * 1506.02438). An answer cut by its length limit is not bootstrapped: V_{n+1} = 0. Throws ATTUNE_SHAPE.
 */
export function generalisedAdvantages(request: GeneralisedAdvantages): Advantages {
  const { starts, rewards, values, gamma, lambda } = request;
  expectTokens(starts, { rewards, values });
  const advantages = new Float64Array(rewards.length);
  for (let sample = 0; sample + 1 < starts.length; sample++) {
    const first = starts[sample] ?? 0;
    let [nextValue, nextAdvantage] = [0, 0];
    for (let token = (starts[sample + 1] ?? 0) - 1; token >= first; token--) {
      const value = values[token] ?? Number.NaN;
      const delta = (rewards[token] ?? Number.NaN) + gamma * nextValue - value;
      nextAdvantage = delta + gamma * lambda * nextAdvantage;
      nextValue = value;
      advantages[token] = nextAdvantage;
    }
  }
  const returns = advantages.map((advantage, token) => advantage + (values[token] ?? Number.NaN));
  return { advantages, returns };
}

export interface SequenceAdvantages {
  /** [tokens] */
  readonly advantages: Float64Array;
  /** [samples] sum_t g_t, what V_1 is fitted to; no other value is. */
  readonly returns: Float64Array;
}

/** The answer as one action: A = sum_t g_t - V_1 at every token of it. Throws ATTUNE_SHAPE. */
export function sequenceAdvantages({ starts, rewards, values }: TokenAdvantages): SequenceAdvantages {
  expectTokens(starts, { rewards, values });
  const advantages = new Float64Array(rewards.length);
  const returns = new Float64Array(starts.length - 1);
  for (let sample = 0; sample < returns.length; sample++) {
    const [first, end] = [starts[sample] ?? 0, starts[sample + 1] ?? 0];
    let sum = 0;
    for (let token = first; token < end; token++) sum += rewards[token] ?? Number.NaN;
    returns[sample] = sum;
    advantages.fill(sum - (values[first] ?? Number.NaN), first, end);
  }
  return { advantages, returns };
}

/**
 * [tokens] Weight of a rollout's tokens when it was sampled by an earlier policy: min(exp(start_t - old_t), cap), start_t
 * under the policy at the beginning of the update (semantics: PPO, stops). Constant within the update.
 */
export function stalenessWeights(start: Numbers, old: Numbers, cap = 2): Float64Array {
  return Float64Array.from(start, (logprob, token) =>
    Math.min(Math.exp(logprob - (old[token] ?? Number.NaN)), cap),
  );
}
