// From numbers to places in a picture: ranges and round ticks. Pure numbers.

/** A linear axis. */
export interface Scale {
  readonly from: number;
  readonly to: number;
  /** Round numbers in the range, ascending. */
  readonly ticks: readonly number[];
}

/**
 * The range of some values with about `count` ticks: widened to round ends, or as it is when `tight`. A single value gets
 * room around it.
 */
export function scaleOf(values: Iterable<number>, count: number, tight = false): Scale | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return undefined;
  if (low === high) {
    const room = low === 0 ? 1 : Math.abs(low) * 0.1;
    [low, high] = [low - room, high + room];
  }
  const step = roundStep((high - low) / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => tidy((first + i) * step));
  if (!tight) return { from: first * step, to: last * step, ticks };
  const dust = step * 1e-9;
  return { from: low, to: high, ticks: ticks.filter((tick) => tick >= low - dust && tick <= high + dust) };
}

/** 1, 2 or 5 times a power of ten, at least `size`. */
function roundStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  const factor = [1, 2, 5, 10].find((one) => one * power >= size * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** Without the dust of binary fractions: 0.30000000000000004 is 0.3. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
