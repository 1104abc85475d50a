// Intervals at 95%: Wilson's of a share, and the middle of draws. Pure numbers.
// Must not draw: what is drawn is handed in.

import { fail } from "../errors/index.js";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 97.5% quantile of the standard normal distribution. */
export const Z95 = 1.959963984540054;

export interface WilsonInput {
  /** Ties count half, so it need not be whole. */
  readonly successes: number;
  readonly count: number;
}

/** Wilson's score interval of a share: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). */
export function wilsonInterval({ successes, count }: WilsonInput): Interval {
  if (!(count > 0 && successes >= 0 && successes <= count)) {
    const text = `Expected successes from 0 to count, and count above 0, but received ${successes} of ${count}.`;
    throw fail("ATTUNE_DATA", text);
  }
  const share = successes / count;
  const centre = share + (Z95 * Z95) / (2 * count);
  const half = Z95 * Math.sqrt((share * (1 - share)) / count + (Z95 * Z95) / (4 * count * count));
  const scale = 1 + (Z95 * Z95) / count;
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) };
}

/** The 2.5% and 97.5% quantiles of values, which are not changed. */
export function middle95(values: Float64Array): Interval {
  const sorted = values.toSorted();
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Between the two nearest of ascending values. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (place - Math.floor(place)) * (above - below);
}
