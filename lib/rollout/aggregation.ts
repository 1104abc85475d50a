// How losses of tokens become the loss of an update: a weight per answer and one divisor. Pure.

import type { Numbers } from "./sequences.js";

/** "rloo": one loss per answer (one ratio); the others: one per token. */
export type Aggregate = "dapo" | "bnpo" | "grpo" | "dr_grpo" | "rloo";

export interface AggregationInput {
  readonly aggregate: Aggregate;
  /** [samples] tokens of each answer of the whole update: all micro-batches, all devices. */
  readonly lengths: Numbers;
  /** Longest answer that sampling allows; of "dr_grpo". */
  readonly maxNewTokens: number;
}

export interface Aggregation {
  /** Divides the sum. */
  readonly normaliser: number;
  /** [samples] */
  readonly weights: Float64Array;
}

/**
 * L = sum_i weight_i sum_t l_it / normaliser (semantics: GRPO, aggregate), l_i in place of the inner sum for "rloo":
 * dapo and bnpo 1 and all tokens; grpo 1 / n_i and all answers; dr_grpo 1 and answers * maxNewTokens; rloo 1 and all answers.
 */
export function aggregationOf({ aggregate, lengths, maxNewTokens }: AggregationInput): Aggregation {
  const rows = lengths.length;
  const weights = Float64Array.from(lengths, (length) => (aggregate === "grpo" ? 1 / length : 1));
  if (aggregate === "grpo" || aggregate === "rloo") return { normaliser: rows, weights };
  if (aggregate === "dr_grpo") return { normaliser: rows * maxNewTokens, weights };
  let tokens = 0;
  for (let i = 0; i < rows; i++) tokens += lengths[i] ?? Number.NaN;
  return { normaliser: tokens, weights };
}
