// Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability"): agreement beyond chance of any number of
// annotators, with missing values, from counts of values alone. Pure; must not know what was judged.

import { fail } from "../errors/index.js";

/** How far two values lie apart. */
export type Level = "nominal" | "ordinal" | "interval" | "ratio";

export interface KrippendorffOptions {
  /** Per unit (what was judged) the values that it got, as numbers; nominal ones may be codes. */
  readonly units: readonly (readonly number[])[];
  readonly level: Level;
  /**
   * Values x and -x say the same of opposite orders of what was judged (1: the first answer of a pair is better, -1: the
   * second, 0: neither), and the order means nothing. Every unit then counts once in each order. Otherwise where the better
   * answer happens to stand first in all pairs, all values are equal, and alpha is degenerate although people agree. A coin
   * for each unit would undo that too, but add its own chance to alpha. What alpha then takes for chance is a person who
   * cannot tell the two apart, whatever the order: true where sides are drawn. Default false.
   */
  readonly mirrored?: boolean;
  /**
   * [units] how much each counts, where some were more likely to be judged than others. Their scale means nothing: together
   * they count as many values as there are. Default: all the same.
   */
  readonly weights?: readonly number[];
}

export interface Alpha {
  /** 1: all agree; 0: as much as chance; below: less. 1 where there is no variation. */
  readonly alpha: number;
  /** Every value is the same: nothing says whether people could tell. */
  readonly degenerate: boolean;
  /** Values that had another to agree with. */
  readonly values: number;
  /** Units of two values or more. */
  readonly units: number;
}

/** alpha = 1 - (N - 1) sum o_ck d_ck^2 / sum n_c n_k d_ck^2, from the coincidences o of values inside units. */
export function krippendorffAlpha(options: KrippendorffOptions): Alpha {
  const { units, level, mirrored = false } = options;
  const weights = scaledWeights(options);
  if (!mirrored) return alphaOf(coincidencesOf(units, weights), level);
  const both = [...units, ...units.map((unit) => unit.map((value) => -value))];
  const { values, units: count, ...rest } = alphaOf(coincidencesOf(both, [...weights, ...weights]), level);
  return { ...rest, values: values / 2, units: count / 2 };
}

/** [units] of weights that count as many values as units of two and more hold. @throws ATTUNE_DATA for what is no weight */
export function scaledWeights({
  units,
  weights,
}: Pick<KrippendorffOptions, "units" | "weights">): readonly number[] {
  if (weights === undefined) return units.map(() => 1);
  if (weights.length !== units.length || !weights.every((weight) => weight > 0 && Number.isFinite(weight)))
    throw fail("ATTUNE_DATA", `Expected a weight above 0 for each of ${units.length} units.`);
  let [values, sum] = [0, 0];
  for (const [i, { length }] of units.entries()) {
    if (length < 2) continue;
    values += length;
    sum += length * (weights[i] ?? 0);
  }
  return weights.map((weight) => (weight * values) / sum);
}

/** Of the values that units of two and more hold: which met which inside one. */
export interface Coincidences {
  /** Ascending. */
  readonly values: readonly number[];
  /** [values x values] */
  readonly table: Float64Array;
  readonly units: number;
}

/** `weights` default to 1. */
export function coincidencesOf(
  units: readonly (readonly number[])[],
  weights?: readonly number[],
): Coincidences {
  const values = [...new Set(units.filter(({ length }) => length > 1).flat())].sort((a, b) => a - b);
  if (values.some((value) => !Number.isFinite(value)))
    throw fail("ATTUNE_DATA", "Expected finite values to compare.");
  const place = new Map(values.map((value, i) => [value, i]));
  const size = values.length;
  const table = new Float64Array(size * size);
  let paired = 0;
  for (const [number, unit] of units.entries()) {
    if (unit.length < 2) continue;
    paired += 1;
    const each = (weights?.[number] ?? 1) / (unit.length - 1);
    const counts = new Map<number, number>();
    for (const value of unit) {
      const at = place.get(value) ?? 0;
      counts.set(at, (counts.get(at) ?? 0) + 1);
    }
    for (const [a, countA] of counts)
      for (const [b, countB] of counts) {
        const pairs = a === b ? countA * (countA - 1) : countA * countB;
        table[a * size + b] = (table[a * size + b] ?? 0) + pairs * each;
      }
  }
  return { values, table, units: paired };
}

export function alphaOf({ values, table, units }: Coincidences, level: Level): Alpha {
  const size = values.length;
  const counts = values.map((_, row) => {
    let sum = 0;
    for (let column = 0; column < size; column++) sum += table[row * size + column] ?? 0;
    return sum;
  });
  const total = counts.reduce((sum, count) => sum + count, 0);
  const distance = distancesOf(values, counts, level);
  let [observed, expected] = [0, 0];
  for (let a = 0; a < size; a++)
    for (let b = 0; b < size; b++) {
      observed += (table[a * size + b] ?? 0) * distance(a, b);
      expected += (counts[a] ?? 0) * (counts[b] ?? 0) * distance(a, b);
    }
  const degenerate = expected === 0;
  const alpha = degenerate ? 1 : 1 - ((total - 1) * observed) / expected;
  return { alpha, degenerate, values: Math.round(total), units };
}

/** Squared distances of the values at two places. */
function distancesOf(values: readonly number[], counts: readonly number[], level: Level) {
  if (level === "nominal") return (a: number, b: number) => (a === b ? 0 : 1);
  if (level === "interval") return (a: number, b: number) => ((values[a] ?? 0) - (values[b] ?? 0)) ** 2;
  if (level === "ratio")
    return (a: number, b: number) => {
      const sum = (values[a] ?? 0) + (values[b] ?? 0);
      return sum === 0 ? 0 : (((values[a] ?? 0) - (values[b] ?? 0)) / sum) ** 2;
    };
  // How many values lie between, half of both ends among them.
  const below = [0];
  for (const count of counts) below.push((below.at(-1) ?? 0) + count);
  return (a: number, b: number) => {
    const [low, high] = a < b ? [a, b] : [b, a];
    const between = (below[high + 1] ?? 0) - (below[low] ?? 0);
    return (between - ((counts[low] ?? 0) + (counts[high] ?? 0)) / 2) ** 2;
  };
}
