// By what the terms of a policy or value loss are divided, so that a mean is exact over a whole update whatever its
// micro-batches. Must not know losses or models.

import type { PackedBatch } from "../data/index.js";

/**
 * "token": the mean over all targets of the update. "sequence": the mean over completions of their means. "budget": the sum
 * over all targets by completions times the most tokens that one may have. "row": the sum over completions by their number
 * (for ratios that give a completion one term).
 */
export type TermMean = "token" | "sequence" | "budget" | "row";

/** GRPO's `aggregate` by name (arXiv 2402.03300, 2503.20783, 2503.14476); of bnpo the batch is the whole update. */
export const aggregateMeans = {
  grpo: "sequence",
  bnpo: "token",
  dr_grpo: "budget",
  dapo: "token",
  cispo: "token",
} as const satisfies Readonly<Record<string, TermMean>>;

/** Counts of the whole update. */
export interface UpdateCounts {
  /** Targets. */
  readonly tokens: number;
  /** Completions. */
  readonly rows: number;
  /** Most tokens of a completion; of "budget". */
  readonly maxNewTokens?: number;
}

/** What `policy` and `value` losses take. */
export interface TermScale {
  readonly normaliser: number;
  /** [completions] of the batch. */
  readonly completionWeights?: Float64Array;
}

/** For one micro-batch of an update. A completion without targets has nothing to weigh: its weight is 0. */
export function termScale(
  mean: TermMean,
  { completions }: Pick<PackedBatch, "completions">,
  { tokens, rows, maxNewTokens = 1 }: UpdateCounts,
): TermScale {
  switch (mean) {
    case "token":
      return { normaliser: tokens };
    case "sequence":
      return { normaliser: rows, completionWeights: inverseLengths(completions) };
    case "budget":
      return { normaliser: rows * maxNewTokens };
    case "row":
      return { normaliser: rows };
  }
}

function inverseLengths(completions: Int32Array): Float64Array {
  return Float64Array.from({ length: completions.length / 2 }, (_, i) => {
    const length = completions[2 * i + 1] ?? 0;
    return length === 0 ? 0 : 1 / length;
  });
}
