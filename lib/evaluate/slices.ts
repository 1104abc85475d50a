// Groups rows by the value of a column or by length, so that a mean cannot hide a part of them.
// Must not know metrics: they are formed of each group by a function passed in.

import { fail, unknownName } from "../errors/index.js";

/** What a row is grouped by, beside its columns. */
export interface SliceRow {
  /** Every column of the row. */
  readonly columns: Readonly<Record<string, unknown>>;
  /** Tokens of its answers. */
  readonly lengths: readonly number[];
}

export interface Slice<Metrics> {
  readonly value: string;
  readonly rows: number;
  readonly metrics: Metrics;
}

export interface Slicing<Metrics> {
  readonly by: string;
  readonly slices: readonly Slice<Metrics>[];
}

export interface SliceOptions<Row extends SliceRow, Metrics> {
  readonly rows: readonly Row[];
  /** A column ("source", "meta.domain"), or one of `sliceNames`. */
  readonly by: string;
  readonly metricsOf: (rows: readonly Row[]) => Metrics;
}

/** Slices that no column is needed for; a column of such a name cannot be asked for. */
export const sliceNames = {
  length: "tokens of the longest answer, in buckets of powers of two",
  longer: "which answer of a pair is longer: the first (chosen), the second (rejected), or neither",
} as const;

/** Rows that lack the column stand under this value. */
export const withoutValue = "(none)";

/**
 * Metrics of every group, in the order of their values: numbers by size, texts by the alphabet. A row whose column holds a
 * list counts under each of its items.
 * @throws ATTUNE_OPTION when no row has the column, with the nearest name
 */
export function sliceRows<Row extends SliceRow, Metrics>({
  rows,
  by,
  metricsOf,
}: SliceOptions<Row, Metrics>): Slicing<Metrics> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    for (const value of valuesOf(row, by)) {
      const members = groups.get(value);
      if (members === undefined) groups.set(value, [row]);
      else members.push(row);
    }
  }
  const values = [...groups.keys()].toSorted(inOrder);
  const slices = values.map((value) => {
    const members = groups.get(value) ?? [];
    return { value, rows: members.length, metrics: metricsOf(members) };
  });
  return { by, slices };
}

/** Refuses a column that no row has, before anything is computed. */
export function requireColumn(by: string, columns: Iterable<Readonly<Record<string, unknown>>>): void {
  if (by in sliceNames) return;
  const seen = new Set<string>(Object.keys(sliceNames));
  for (const row of columns) {
    if (columnOf(row, by) !== undefined) return;
    for (const name of Object.keys(row)) seen.add(name);
  }
  throw fail("ATTUNE_OPTION", unknownName("column for --by:", by, seen));
}

/** The groups that a row is part of; never none. */
function valuesOf({ columns, lengths }: SliceRow, by: string): readonly string[] {
  if (by === "length") return [lengthBucket(lengths.reduce((most, one) => Math.max(most, one), 0))];
  if (by === "longer") {
    const [first = 0, second = 0] = lengths;
    return [first === second ? "neither" : first > second ? "first" : "second"];
  }
  const value = columnOf(columns, by);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length === 0 ? [withoutValue] : [...new Set(list.map(nameOf))];
}

/** A column, or with dots a place inside one. */
function columnOf(columns: Readonly<Record<string, unknown>>, by: string): unknown {
  if (Object.hasOwn(columns, by)) return columns[by];
  let value: unknown = columns;
  for (const name of by.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function nameOf(value: unknown): string {
  if (value === undefined || value === null) return withoutValue;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `32-63` */
function lengthBucket(tokens: number): string {
  if (tokens < 16) return "0-15";
  const from = 2 ** Math.floor(Math.log2(tokens));
  return `${from}-${2 * from - 1}`;
}

function inOrder(a: string, b: string): number {
  const [x, y] = [Number.parseFloat(a), Number.parseFloat(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y) && x !== y) return x - y;
  return a < b ? -1 : a > b ? 1 : 0;
}
