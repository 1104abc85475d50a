// The interval of Krippendorff's alpha by resampling units. Units that got the same values are one, drawn by its number: there
// are few of them among a million units. Pure.

import { type Interval, middle95 } from "./intervals.js";
import { type Alpha, alphaOf, coincidencesOf, type KrippendorffOptions, type Level } from "./krippendorff.js";
import type { RandomWords } from "./random-draws.js";

export interface AlphaInterval extends KrippendorffOptions {
  /** Bootstrap samples; default 1000. */
  readonly draws?: number;
  readonly words: RandomWords;
}

/** 95%. @throws ATTUNE_DATA for values that are not finite */
export function alphaInterval({
  units,
  level,
  mirrored = false,
  draws = 1000,
  words,
}: AlphaInterval): Interval {
  const paired = units.filter(({ length }) => length > 1);
  const alike = alikeOf(paired, mirrored);
  const alphas = new Float64Array(draws);
  for (let draw = 0; draw < draws; draw++) {
    const counts = new Float64Array(alike.tables.length);
    for (let position = 0; 4 * position < paired.length; position++) {
      const drawn = words({ step: 1, row: draw, position });
      for (let i = 0; i < Math.min(4, paired.length - 4 * position); i++) {
        const kind = alike.kindOf[Math.floor(((drawn[i] ?? 0) / 2 ** 32) * paired.length)] ?? 0;
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
    }
    alphas[draw] = alphaUnder(alike, counts, level).alpha;
  }
  return middle95(alphas);
}

interface AlikeUnits {
  readonly values: readonly number[];
  /** [units] */
  readonly kindOf: Int32Array;
  /** [kinds] what one unit of a kind adds to the table of coincidences: places in it, and amounts. */
  readonly tables: readonly { readonly at: readonly number[]; readonly amount: readonly number[] }[];
}

function alikeOf(units: readonly (readonly number[])[], mirrored: boolean): AlikeUnits {
  const ordersOf = (unit: readonly number[]) => (mirrored ? [unit, unit.map((value) => -value)] : [unit]);
  const { values } = coincidencesOf(units.flatMap(ordersOf));
  const place = new Map(values.map((value, i) => [value, i]));
  const kinds = new Map<string, number>();
  const tables: AlikeUnits["tables"][number][] = [];
  const kindOf = Int32Array.from(units, (unit) => {
    const key = unit.toSorted((a, b) => a - b).join(" ");
    const known = kinds.get(key);
    if (known !== undefined) return known;
    kinds.set(key, tables.length);
    tables.push(tableOf(ordersOf(unit), place));
    return tables.length - 1;
  });
  return { values, kindOf, tables };
}

function tableOf(
  unit: readonly (readonly number[])[],
  place: ReadonlyMap<number, number>,
): AlikeUnits["tables"][number] {
  const own = coincidencesOf(unit);
  const [at, amount]: [number[], number[]] = [[], []];
  for (const [a, first] of own.values.entries())
    for (const [b, second] of own.values.entries()) {
      at.push((place.get(first) ?? 0) * place.size + (place.get(second) ?? 0));
      amount.push(own.table[a * own.values.length + b] ?? 0);
    }
  return { at, amount };
}

function alphaUnder({ values, tables }: AlikeUnits, counts: Float64Array, level: Level): Alpha {
  const table = new Float64Array(values.length ** 2);
  let units = 0;
  for (const [kind, { at, amount }] of tables.entries()) {
    const count = counts[kind] ?? 0;
    units += count;
    if (count > 0)
      for (const [i, cell] of at.entries()) table[cell] = (table[cell] ?? 0) + count * (amount[i] ?? 0);
  }
  return alphaOf({ values, table, units }, level);
}
