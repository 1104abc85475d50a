// The interval of Krippendorff's alpha by resampling what was judged, with all its units. Units that got the same values are
// of one kind: there are few kinds among a million units. Pure.

import { groupedBy } from "./grouped.js";
import { type Interval, middle95 } from "./intervals.js";
import {
  alphaOf,
  coincidencesOf,
  type KrippendorffOptions,
  type Level,
  scaledWeights,
} from "./krippendorff.js";
import { drawsOf, type RandomWords } from "./random-draws.js";

export interface AlphaInterval extends KrippendorffOptions {
  /**
   * [units] numbers of what they belong to: units of one number are drawn together, as the pairs that one ranking implies
   * are not independent. Default: each by itself.
   */
  readonly clusters?: readonly number[];
  /** Bootstrap samples; default 1000. */
  readonly draws?: number;
  readonly words: RandomWords;
}

/** 95%. @throws ATTUNE_DATA for values that are not finite */
export function alphaInterval({ draws = 1000, words, ...options }: AlphaInterval): Interval {
  const kinds = kindsOf(options);
  const { starts } = kinds;
  const alphas = new Float64Array(draws);
  for (let number = 0; number < draws; number++) {
    const draw = drawsOf(words, number);
    const sums = new Float64Array(kinds.tables.length);
    for (let cluster = 1; cluster < starts.length; cluster++) {
      const drawn = draw(starts.length - 1);
      for (let i = starts[drawn] ?? 0; i < (starts[drawn + 1] ?? 0); i++) {
        const kind = kinds.kindOf[i] ?? 0;
        sums[kind] = (sums[kind] ?? 0) + (kinds.weights[i] ?? 0);
      }
    }
    alphas[number] = alphaUnder(kinds, sums, options.level);
  }
  return middle95(alphas);
}

interface Kinds {
  readonly values: readonly number[];
  /** [clusters + 1] where the units of each begin. */
  readonly starts: Int32Array;
  /** [units] by cluster. */
  readonly kindOf: Int32Array;
  readonly weights: Float64Array;
  /** [kinds] what one unit of a kind adds to the table of coincidences: places in it, and amounts. */
  readonly tables: readonly { readonly at: readonly number[]; readonly amount: readonly number[] }[];
}

function kindsOf(options: Omit<AlphaInterval, "draws" | "words">): Kinds {
  const { units, clusters, mirrored = false } = options;
  const both = (unit: readonly number[]) => (mirrored ? [unit, unit.map((value) => -value)] : [unit]);
  const { values } = coincidencesOf(units.flatMap(both));
  const place = new Map(values.map((value, i) => [value, i]));
  const scaled = scaledWeights(options);
  const paired = [...units.keys()].filter((unit) => (units[unit]?.length ?? 0) > 1);
  const grouped = [...groupedBy(paired, (unit) => clusters?.[unit] ?? unit).values()];
  const starts = new Int32Array(grouped.length + 1);
  for (const [i, { length }] of grouped.entries()) starts[i + 1] = (starts[i] ?? 0) + length;
  const order = grouped.flat();
  const kinds = new Map<string, number>();
  const tables: Kinds["tables"][number][] = [];
  const kindOf = Int32Array.from(order, (number) => {
    const unit = units[number] ?? [];
    const key = unit.toSorted((a, b) => a - b).join(" ");
    const known = kinds.get(key);
    if (known !== undefined) return known;
    kinds.set(key, tables.length);
    tables.push(tableOf(both(unit), place));
    return tables.length - 1;
  });
  return { values, starts, kindOf, weights: Float64Array.from(order, (unit) => scaled[unit] ?? 0), tables };
}

function tableOf(
  units: readonly (readonly number[])[],
  place: ReadonlyMap<number, number>,
): Kinds["tables"][number] {
  const own = coincidencesOf(units);
  const [at, amount]: [number[], number[]] = [[], []];
  for (const [a, first] of own.values.entries())
    for (const [b, second] of own.values.entries()) {
      at.push((place.get(first) ?? 0) * place.size + (place.get(second) ?? 0));
      amount.push(own.table[a * own.values.length + b] ?? 0);
    }
  return { at, amount };
}

function alphaUnder({ values, tables }: Kinds, sums: Float64Array, level: Level): number {
  const table = new Float64Array(values.length ** 2);
  for (const [kind, { at, amount }] of tables.entries()) {
    const sum = sums[kind] ?? 0;
    if (sum > 0)
      for (const [i, cell] of at.entries()) table[cell] = (table[cell] ?? 0) + sum * (amount[i] ?? 0);
  }
  return alphaOf({ values, table, units: 0 }, level).alpha;
}
