// How sure a mean is: the bootstrap over prompts, at 95%, and standard errors.
// Pure numbers; must not import the engine.

import { philox, randomStreams, seedKey } from "../data/index.js";
import { fail } from "../errors/index.js";
import { type Interval, middle95 } from "../preference/index.js";

export interface BootstrapInput {
  /** Series over the same items, [series][items]; one draw takes the same items of all of them: they stay paired. */
  readonly series: readonly ArrayLike<number>[];
  /** 64 bits. */
  readonly seed: number | bigint;
  /** Default 10,000. */
  readonly draws?: number;
}

/** Intervals of the means of series, [series]: the 2.5% and 97.5% quantiles over draws of items with replacement. */
export function bootstrapMeans(input: BootstrapInput): Interval[] {
  return bootstrapDraws(input).map((means) => middle95(means));
}

/** [series][draws] means of draws of items with replacement: for intervals of what is made of several means. */
export function bootstrapDraws({ series, seed, draws = 10_000 }: BootstrapInput): Float64Array[] {
  const items = series[0]?.length ?? 0;
  if (items === 0 || series.some(({ length }) => length !== items)) {
    const lengths = series.map(({ length }) => length).join(", ");
    throw fail("ATTUNE_DATA", `Expected series of one length above 0 but received lengths ${lengths}.`);
  }
  if (!Number.isSafeInteger(draws) || draws < 100)
    throw fail("ATTUNE_OPTION", `Expected draws to be an integer >= 100 but received ${draws}.`);
  const means = series.map(() => new Float64Array(draws));
  const picked = new Int32Array(items);
  for (let draw = 0; draw < draws; draw++) {
    drawItems(picked, draw, seedKey(seed));
    for (const [s, values] of series.entries()) {
      let sum = 0;
      for (const item of picked) sum += values[item] ?? 0;
      const into = means[s];
      if (into !== undefined) into[draw] = sum / items;
    }
  }
  return means;
}

const WORDS = 2 ** 32;

/** Items of one draw: words of (bootstrap, draw, 0, i div 4), in order; those that would favour some items are skipped. */
function drawItems(picked: Int32Array, draw: number, key: readonly [number, number]): void {
  const { length } = picked;
  const limit = WORDS - (WORDS % length);
  let filled = 0;
  for (let block = 0; filled < length; block++) {
    for (const word of philox([randomStreams.bootstrap, draw, 0, block], key)) {
      if (filled === length || word >= limit) continue;
      picked[filled] = word % length;
      filled += 1;
    }
  }
}

export interface MeanWithError {
  readonly mean: number;
  /** Standard error of the mean, sd / sqrt(n) with n - 1 in the deviation; NaN for one value. */
  readonly standardError: number;
}

export function meanWithError(values: ArrayLike<number>): MeanWithError {
  const { length } = values;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += values[i] ?? 0;
  const mean = sum / length;
  let squares = 0;
  for (let i = 0; i < length; i++) squares += ((values[i] ?? 0) - mean) ** 2;
  return { mean, standardError: Math.sqrt(squares / (length - 1) / length) };
}

/** How far two means lie apart in standard errors of their difference, which are independent: positive where `a` is above. */
export function standardDistance(a: MeanWithError, b: MeanWithError): number {
  const error = Math.hypot(a.standardError, b.standardError);
  const difference = a.mean - b.mean;
  // Without any noise every difference is sure.
  return error === 0
    ? difference === 0
      ? 0
      : Math.sign(difference) * Number.POSITIVE_INFINITY
    : difference / error;
}

/** The standard normal distribution function: 1 - P(X > x), by the continued fraction and the series of its tail. */
function normalShare(x: number): number {
  const size = Math.abs(x);
  const density = Math.exp((-size * size) / 2) / Math.sqrt(2 * Math.PI);
  let tail: number;
  if (size > 3) {
    // Laplace's continued fraction: 1/(x + 1/(x + 2/(x + 3/ ...))).
    let fraction = size;
    for (let k = 60; k >= 1; k--) fraction = size + k / fraction;
    tail = density / fraction;
  } else {
    let [term, sum] = [size, size];
    for (let k = 1; k < 60; k++) {
      term *= (size * size) / (2 * k + 1);
      sum += term;
    }
    tail = 0.5 - density * sum;
  }
  return x > 0 ? 1 - tail : tail;
}

/** Where the standard normal distribution function reaches a share in (0, 1); by bisection, to 1e-12. */
export function normalQuantile(share: number): number {
  let [low, high] = [-9, 9];
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
