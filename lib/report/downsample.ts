// Makes a long curve short: buckets of lines with their mean, least and greatest value, so that no peak disappears.
// Pure numbers.

/** A curve as it is drawn. */
export interface Curve {
  /** [points] ascending. */
  readonly steps: readonly number[];
  /** [points] tokens so far; NaN where nobody counted them. */
  readonly tokens: readonly number[];
  /** [points] the value, or the mean of a bucket; NaN is a gap. */
  readonly values: readonly number[];
  /** [points] of a bucket; absent where every line is a point of its own. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
}

export interface DownsampleRequest {
  readonly steps: readonly number[];
  readonly tokens: readonly number[];
  readonly values: readonly number[];
  /** Points of the result at most. */
  readonly points: number;
}

/** The curve itself where it is short enough. Buckets hold equally many lines; a bucket stands at its last line. */
export function downsample({ steps, tokens, values, points }: DownsampleRequest): Curve {
  const lines = steps.length;
  if (lines <= points) return { steps, tokens, values };
  const result = {
    steps: [] as number[],
    tokens: [] as number[],
    values: [] as number[],
    low: [] as number[],
    high: [] as number[],
  };
  for (let bucket = 0; bucket < points; bucket++) {
    const from = Math.floor((bucket * lines) / points);
    const end = Math.floor(((bucket + 1) * lines) / points);
    const { mean, low, high } = statistics(values, from, end);
    result.steps.push(steps[end - 1] ?? Number.NaN);
    result.tokens.push(tokens[end - 1] ?? Number.NaN);
    result.values.push(mean);
    result.low.push(low);
    result.high.push(high);
  }
  return result;
}

/** Of the finite values; all NaN where there is none. */
function statistics(values: readonly number[], from: number, end: number) {
  let [sum, count, low, high] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = from; i < end; i++) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    sum += value;
    count += 1;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (count === 0) return { mean: Number.NaN, low: Number.NaN, high: Number.NaN };
  return { mean: sum / count, low, high };
}
