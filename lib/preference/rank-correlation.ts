// Rank correlations of two lists of numbers: Spearman's rho and Kendall's tau-b, both with ties.
// Pure numbers; must not import the engine.

import { fail } from "../errors/index.js";

export interface RankCorrelation {
  /** Correlation of ranks, tied values sharing the mean of theirs. */
  readonly spearman: number;
  /** (C - D) / sqrt((n0 - ties in x) (n0 - ties in y)). */
  readonly kendall: number;
  readonly count: number;
}

/**
 * Both, in O(n log n); NaN where one of the lists holds a single value.
 * @throws ATTUNE_SHAPE when the lengths differ
 */
export function rankCorrelationOf(x: ArrayLike<number>, y: ArrayLike<number>): RankCorrelation {
  if (x.length !== y.length)
    throw fail(
      "ATTUNE_SHAPE",
      `Expected two lists of one length but got ${x.length} and ${y.length} numbers.`,
    );
  return { spearman: pearson(ranksOf(x), ranksOf(y)), kendall: kendallTauB(x, y), count: x.length };
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const ranks = new Float64Array(values.length);
  for (let first = 0; first < order.length; ) {
    let end = first + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[first] ?? 0]) end += 1;
    for (let place = first; place < end; place++) ranks[order[place] ?? 0] = (first + end + 1) / 2;
    first = end;
  }
  return ranks;
}

function pearson(x: Float64Array, y: Float64Array): number {
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  let [product, squareX, squareY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] ?? 0) - meanX, (y[i] ?? 0) - meanY];
    product += dx * dy;
    squareX += dx * dx;
    squareY += dy * dy;
  }
  return product / Math.sqrt(squareX * squareY);
}

/** Knight's way (1966): sort by x, then count the exchanges that sorting by y takes. */
function kendallTauB(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const order = Array.from(x, (_, i) => i).sort(
    (a, b) => (x[a] ?? 0) - (x[b] ?? 0) || (y[a] ?? 0) - (y[b] ?? 0),
  );
  const byX = order.map((i) => x[i] ?? 0);
  const byY = order.map((i) => y[i] ?? 0);
  const pairs = (x.length * (x.length - 1)) / 2;
  const tiesX = tiedPairs(byX.length, (i) => byX[i] === byX[i - 1]);
  const tiesBoth = tiedPairs(byX.length, (i) => byX[i] === byX[i - 1] && byY[i] === byY[i - 1]);
  const { sorted, exchanges } = sortCounting(byY);
  const tiesY = tiedPairs(sorted.length, (i) => sorted[i] === sorted[i - 1]);
  const concordantLessDiscordant = pairs - tiesX - tiesY + tiesBoth - 2 * exchanges;
  return concordantLessDiscordant / Math.sqrt((pairs - tiesX) * (pairs - tiesY));
}

/** Pairs inside runs of neighbours of which each equals the one before. */
function tiedPairs(length: number, equalsBefore: (i: number) => boolean): number {
  let [pairs, run] = [0, 0];
  for (let i = 1; i < length; i++) {
    run = equalsBefore(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Merge sort; `exchanges` = pairs that stood in the wrong order. */
function sortCounting(values: readonly number[]): {
  readonly sorted: readonly number[];
  readonly exchanges: number;
} {
  if (values.length < 2) return { sorted: values, exchanges: 0 };
  const middle = values.length >> 1;
  const left = sortCounting(values.slice(0, middle));
  const right = sortCounting(values.slice(middle));
  const sorted: number[] = [];
  let exchanges = left.exchanges + right.exchanges;
  let at = 0;
  for (const value of right.sorted) {
    while (at < left.sorted.length && (left.sorted[at] ?? 0) <= value) {
      sorted.push(left.sorted[at] ?? 0);
      at += 1;
    }
    exchanges += left.sorted.length - at;
    sorted.push(value);
  }
  return { sorted: [...sorted, ...left.sorted.slice(at)], exchanges };
}
