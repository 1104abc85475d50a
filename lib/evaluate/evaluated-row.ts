// One row with everything that a model said about it, and the metrics of any group of such rows.
// Pure; must not import the engine.

import type { RowPlace, RowType } from "../data/index.js";
import {
  type JudgedKind,
  type JudgedMetrics,
  type JudgedRow,
  judgedMetricsOf,
  type ScoreMetrics,
  scoreMetricsOf,
} from "./judged-metrics.js";
import type { SliceRow } from "./slices.js";
import { type TokenMetrics, type TokenSums, tokenMetricsOf } from "./token-metrics.js";

/** How scores came about: a reward model, a linear bound, beta times the log-ratio to a reference, or summed log-probs. */
export type ScoredBy = "reward" | "bound" | "implicit reward" | "log-prob";

export interface EvaluatedRow extends JudgedRow, SliceRow {
  readonly place: RowPlace;
  /** Number of the row over all files. */
  readonly index: number;
  /** [answers] of a policy. */
  readonly sums?: readonly TokenSums[];
  /** [answers] summed log-probs under the reference. */
  readonly reference?: readonly number[];
  /** [heads][answers] of a reward model of several heads. */
  readonly heads?: readonly (readonly number[])[];
  /** [answers] of a linear bound: the scores' middle and how far they may be off. */
  readonly means?: readonly number[];
  readonly widths?: readonly number[];
  /** Of a bound on a pair: the first answer less the second. */
  readonly difference?: { readonly mean: number; readonly width: number };
}

export interface LogprobMetrics {
  /** Mean summed log-prob of the better answers of pairs, and of the worse ones. */
  readonly chosen: number;
  readonly rejected: number;
  /** Share of decided pairs whose better answer has the higher log-prob per token. */
  readonly accuracy_per_token: number;
}

export interface EvaluationMetrics {
  readonly rows: number;
  /** Of a policy: predicted tokens of the answers worth learning (chosen, good, ranked best, or all there are). */
  readonly tokens?: TokenMetrics;
  /** Where answers were judged and scored. */
  readonly judged?: JudgedMetrics;
  /** Of a reward model on rows that nobody judged. */
  readonly scores?: ScoreMetrics;
  /** Of a policy on pairs. */
  readonly logps?: LogprobMetrics;
}

/** What is judged in rows of a type; undefined: nothing. */
export function judgedKindOf(type: RowType): JudgedKind | undefined {
  const kinds: Partial<Record<RowType, JudgedKind>> = {
    preference: "pairs",
    ranking: "rankings",
    "best-of": "rankings",
    rating: "ratings",
    unpaired: "thumbs",
  };
  return kinds[type];
}

export interface MetricsOf {
  readonly type: RowType;
  readonly scoredBy: ScoredBy | undefined;
  readonly bins: number;
}

export function metricsOfRows(
  rows: readonly EvaluatedRow[],
  { type, scoredBy, bins }: MetricsOf,
): EvaluationMetrics {
  const kind = judgedKindOf(type);
  const isPolicy = scoredBy !== "reward" && scoredBy !== "bound";
  return {
    rows: rows.length,
    ...(isPolicy ? { tokens: tokenMetricsOf(rows.flatMap((row) => goodSums(row, kind))) } : {}),
    ...(kind === undefined ? {} : { judged: judgedMetricsOf({ rows, kind, bins }) }),
    ...(kind === undefined && !isPolicy ? { scores: scoreMetricsOf(rows) } : {}),
    ...(kind === "pairs" && isPolicy ? { logps: logprobMetricsOf(rows) } : {}),
  };
}

function goodSums(
  { sums = [], ranks = [], label }: EvaluatedRow,
  kind: JudgedKind | undefined,
): readonly TokenSums[] {
  if (kind === "pairs") return sums.slice(...(label < 0.5 ? [1, 2] : [0, 1]));
  if (kind === "rankings") {
    const best = Math.min(...ranks);
    return sums.filter((_, answer) => ranks[answer] === best);
  }
  return kind === "thumbs" && label < 0.5 ? [] : sums;
}

function logprobMetricsOf(rows: readonly EvaluatedRow[]): LogprobMetrics {
  let [chosen, rejected, right, decided] = [0, 0, 0, 0];
  for (const { sums: [first, second] = [], label } of rows) {
    if (first === undefined || second === undefined) continue;
    const [better, worse] = label < 0.5 ? [second, first] : [first, second];
    chosen += better.logprob;
    rejected += worse.logprob;
    if (label === 0.5) continue;
    decided += 1;
    if (better.logprob / better.count > worse.logprob / worse.count) right += 1;
  }
  return {
    chosen: chosen / rows.length,
    rejected: rejected / rows.length,
    accuracy_per_token: right / decided,
  };
}
