// Reads the columns of one row with checks: texts, messages, token ids, numbers, lists. Each error names file, line and
// column, what was expected and what was found. Must not know row types.

import { type AttuneError, type ErrorCode, fail } from "../errors/index.js";
import { checkMessages, hasLoneSurrogate } from "./message-rows.js";
import { listColumns, misspelt } from "./row-type.js";
import type { Content, RowPlace } from "./rows.js";

export type Columns = Readonly<Record<string, unknown>>;

export interface NumberRange {
  readonly fallback?: number;
  readonly min?: number;
  readonly max?: number;
  readonly whole?: boolean;
}

/** Whether a column is a question or something to be learnt. */
export type Part = "prompt" | "answer" | "conversation";

interface Asked {
  readonly column: string;
  readonly part: Part;
  readonly ifEmpty?: string;
}

export class RowColumns {
  readonly columns: Columns;

  constructor(
    value: unknown,
    readonly place: RowPlace,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const advice = Array.isArray(value) ? ". Write one object per line instead of one list" : "";
      throw this.bad("ATTUNE_DATA", "a JSON object", describe(value) + advice);
    }
    this.columns = value as Columns;
  }

  /** Whether the column is there and not null. */
  has(column: string): boolean {
    return this.columns[column] !== undefined && this.columns[column] !== null;
  }

  others(known: readonly string[]): Columns {
    return Object.fromEntries(Object.entries(this.columns).filter(([name]) => !known.includes(name)));
  }

  required(column: string): unknown {
    if (Object.hasOwn(this.columns, column)) return this.columns[column];
    const found = `columns ${listColumns(this.columns)}${misspelt(this.columns, [column])}`;
    throw this.bad("ATTUNE_DATA_COLUMN", `a column "${column}"`, found, column);
  }

  /** A text, messages or token ids; never empty. `ifEmpty`: what to do about a text without a letter. */
  content(column: string, part: Part, ifEmpty?: string): Content {
    const asked = { column, part, ...(ifEmpty === undefined ? {} : { ifEmpty }) };
    return this.contentOf(this.required(column), `column "${column}"`, asked);
  }

  /** A list of at least `least` answers. */
  contents(column: string, least: number): readonly Content[] {
    const value = this.required(column);
    const expected = `a list of ${least} or more answers in column "${column}"`;
    if (!Array.isArray(value)) throw this.bad("ATTUNE_DATA_COLUMN", expected, describe(value), column);
    if (value.length < least) throw this.bad("ATTUNE_DATA", expected, `${value.length}`, column);
    return value.map((item: unknown, i) =>
      this.contentOf(item, `item ${i} of column "${column}"`, { column, part: "answer" }),
    );
  }

  number(
    column: string,
    { fallback, min = -Number.MAX_VALUE, max = Number.MAX_VALUE, whole }: NumberRange,
  ): number {
    const value = fallback === undefined ? this.required(column) : (this.columns[column] ?? fallback);
    const fits = typeof value === "number" && value >= min && value <= max;
    if (fits && (whole !== true || Number.isInteger(value))) return value;
    const kind = whole === true ? "an integer" : "a number";
    const limits = [
      min === -Number.MAX_VALUE ? "" : max === Number.MAX_VALUE ? ` >= ${min}` : ` from ${min} to ${max}`,
      min === -Number.MAX_VALUE && max !== Number.MAX_VALUE ? ` <= ${max}` : "",
    ].join("");
    throw this.bad("ATTUNE_DATA_COLUMN", `${kind}${limits} in column "${column}"`, describe(value), column);
  }

  boolean(column: string): boolean {
    const value = this.required(column);
    if (typeof value === "boolean") return value;
    throw this.bad("ATTUNE_DATA_COLUMN", `true or false in column "${column}"`, describe(value), column);
  }

  /** A list of as many items as another column has. */
  list<T>(column: string, { length, of, is }: ListRules<T>): readonly T[] {
    const value = this.required(column);
    const expected = `a list of ${length} ${of} in column "${column}"`;
    if (!Array.isArray(value)) throw this.bad("ATTUNE_DATA_COLUMN", expected, describe(value), column);
    if (value.length !== length) throw this.bad("ATTUNE_DATA", expected, `a list of ${value.length}`, column);
    const wrong = value.find((item: unknown) => !is(item));
    if (wrong === undefined) return value as T[];
    throw this.bad("ATTUNE_DATA_COLUMN", expected, describe(wrong), column);
  }

  /** One text or whole number, or several, as texts; undefined when the column is absent. */
  texts(column: string): readonly string[] | undefined {
    if (!this.has(column)) return undefined;
    const value = this.columns[column];
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (list.every(isName)) return list.map(String);
    throw this.bad(
      "ATTUNE_DATA_COLUMN",
      `text or a whole number, or a list of them, in column "${column}"`,
      describe(value),
      column,
    );
  }

  /** One text or whole number, as text; undefined when the column is absent. */
  name(column: string): string | undefined {
    if (!this.has(column)) return undefined;
    const value = this.columns[column];
    if (isName(value)) return String(value);
    const expected = `text or a whole number in column "${column}"`;
    throw this.bad("ATTUNE_DATA_COLUMN", expected, describe(value), column);
  }

  object(column: string): Columns | undefined {
    if (!this.has(column)) return undefined;
    const value = this.columns[column];
    if (typeof value === "object" && !Array.isArray(value)) return value as Columns;
    throw this.bad("ATTUNE_DATA_COLUMN", `an object in column "${column}"`, describe(value), column);
  }

  objects(column: string): readonly unknown[] | undefined {
    if (!this.has(column)) return undefined;
    const value = this.columns[column];
    if (Array.isArray(value)) return value;
    throw this.bad("ATTUNE_DATA_COLUMN", `a list of objects in column "${column}"`, describe(value), column);
  }

  bad(code: ErrorCode, expected: string, found: string, column?: string): AttuneError {
    const { place } = this;
    const end = found.endsWith("?") ? "" : ".";
    const text = `${place.file}:${place.line}: expected ${expected} but found ${found}${end}`;
    return fail(code, `${text} Correct the row, or pass over it with --skip-bad-rows.`, {
      details: { ...place, ...(column === undefined ? {} : { column }) },
    });
  }

  private contentOf(value: unknown, where: string, asked: Asked): Content {
    const { column, part } = asked;
    if (typeof value === "string") return this.textOf(value, where, asked);
    if (Array.isArray(value) && value.length === 0)
      throw this.bad("ATTUNE_DATA", `text, messages or token ids in ${where}`, "an empty list", column);
    if (Array.isArray(value) && value.every((item) => typeof item === "number")) {
      const wrong = value.find((id) => !Number.isInteger(id) || id < 0 || id >= 2 ** 31);
      if (wrong === undefined) return Int32Array.from(value);
      throw this.bad("ATTUNE_DATA_COLUMN", `token ids in ${where}`, describe(wrong), column);
    }
    if (Array.isArray(value) && value.every(isObject)) {
      const problem = checkMessages(value, part);
      if ("messages" in problem) return problem.messages;
      throw this.bad(problem.code, `${problem.expected} in ${where}`, problem.found, column);
    }
    throw this.bad("ATTUNE_DATA_COLUMN", `text, messages or token ids in ${where}`, describe(value), column);
  }

  private textOf(value: string, where: string, { column, part, ifEmpty }: Asked): string {
    if (hasLoneSurrogate(value)) {
      const found = "half of a surrogate pair (\\ud800 to \\udfff alone)";
      throw this.bad("ATTUNE_DATA", `whole characters in ${where}`, found, column);
    }
    const advice = ifEmpty === undefined ? "" : `. ${ifEmpty}`;
    if (value === "")
      throw this.bad("ATTUNE_DATA", `text in ${where}`, `an empty text ("")${advice}`, column);
    if (part !== "prompt" || /\P{White_Space}/u.test(value)) return value;
    throw this.bad("ATTUNE_DATA", `text in ${where}`, `only white space${advice}`, column);
  }
}

export interface ListRules<T> {
  readonly length: number;
  readonly of: string;
  readonly is: (item: unknown) => item is T;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function describe(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 30))}`;
  return `${typeof value} ${String(value)}`;
}

/** Ids of groups and judgements are texts or numbers; Parquet has them as bigint. */
function isName(item: unknown): item is string | number | bigint {
  return typeof item === "string" || typeof item === "bigint" || Number.isSafeInteger(item);
}
