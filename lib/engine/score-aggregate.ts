// One score from those of several heads on one trunk: their mean, the worst, or the mean less a spread (semantics:
// ensembles). Pure; heads must be normalised before, since each is free up to a constant.

import { fail } from "../errors/index.js";
import { expectKeys, expectOneOf } from "./options.js";

const aggregates = ["mean", "min", "variance", "deviation"] as const;

/** "variance": mean - k var; "deviation": mean - k std, both over the heads themselves (divided by their number). */
export type ScoreAggregate = (typeof aggregates)[number];

export interface AggregateOptions {
  /** Default "mean". */
  readonly aggregate?: ScoreAggregate;
  /** Weight of the spread, 0 or more, of "variance" and "deviation". Default 1. */
  readonly k?: number;
}

/** [rows] of heads[k], [rows] each. Throws ATTUNE_OPTION. */
export function aggregateScores(
  heads: readonly Float32Array[],
  options: AggregateOptions = {},
): Float32Array {
  expectKeys("aggregateScores", options, ["aggregate", "k"]);
  const { aggregate, k } = checkAggregate(options);
  const rows = heads[0]?.length ?? 0;
  return Float32Array.from({ length: rows }, (_, row) => {
    const scores = heads.map((head) => head[row] ?? 0);
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    if (aggregate === "mean") return mean;
    if (aggregate === "min") return Math.min(...scores);
    const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
    return mean - k * (aggregate === "variance" ? variance : Math.sqrt(variance));
  });
}

/** Throws ATTUNE_OPTION. */
export function checkAggregate(options: AggregateOptions): Required<AggregateOptions> {
  const aggregate = expectOneOf("aggregate", options.aggregate ?? "mean", aggregates);
  const { k } = options;
  if (k !== undefined && aggregate !== "variance" && aggregate !== "deviation") {
    const text = `Expected k beside aggregate "variance" or "deviation", whose spread it weighs, but aggregate is "${aggregate}". Leave k out.`;
    throw fail("ATTUNE_OPTION", text);
  }
  if (k !== undefined && !(Number.isFinite(k) && k >= 0))
    throw fail("ATTUNE_OPTION", `Expected k of 0 or more but received ${k}. Typical: 1.`);
  return { aggregate, k: k ?? 1 };
}
