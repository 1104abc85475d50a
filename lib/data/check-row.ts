// Turns one parsed JSON value into a checked row. Must not read files, tokenise or count.

import { type AttuneError, type ErrorCode, fail } from "../errors/index.js";
import { splitImplicitPrompt } from "./implicit-prompt.js";
import { detectRowType, listColumns, misspelt, typeNames } from "./row-type.js";
import type { RowContent, RowPlace, RowType } from "./rows.js";

export interface CheckRowOptions {
  readonly value: unknown;
  readonly place: RowPlace;
  /** Row types the trainer can use. */
  readonly accept: readonly RowType[];
  /** The type every row must have; undefined = told from this row's columns. */
  readonly type: RowType | undefined;
  /** Whether the user named `type`: then columns of other types are metadata. Default false. */
  readonly named?: boolean;
  readonly turnMark?: string;
}

type Columns = Readonly<Record<string, unknown>>;

const weightColumns = ["weight"] as const;
const ownColumns: Readonly<Record<RowType, readonly string[]>> = {
  text: ["text", ...weightColumns],
  "prompt-completion": ["prompt", "completion", ...weightColumns],
  preference: ["prompt", "chosen", "rejected", "label", "margin", ...weightColumns],
};

const requiredColumns: Readonly<Record<RowType, readonly string[]>> = {
  text: ["text"],
  "prompt-completion": ["prompt", "completion"],
  preference: ["chosen", "rejected"],
};

/**
 * Checks a row. Throws ATTUNE_DATA_COLUMN for a missing column or one of another type, ATTUNE_DATA for an empty side or
 * a row of another type; each names file, line and column, what was expected and what was found.
 */
export function checkRow(options: CheckRowOptions): RowContent {
  const row = new RowColumns(options.value, options.place);
  const type = typeOf(row, options);
  const metadata = row.others(ownColumns[type]);
  const weight = row.number("weight", { fallback: 1, min: 0, max: Number.MAX_VALUE });
  if (type === "text") return { type, text: row.side("text"), weight, metadata };
  if (type === "prompt-completion") {
    return { type, prompt: row.prompt(), completion: row.side("completion"), weight, metadata };
  }
  const label = row.number("label", { fallback: 1, min: 0, max: 1 });
  const margin = row.number("margin", { fallback: 0, min: 0, max: Number.MAX_VALUE });
  return { type, ...pairOf(row, options.turnMark), label, margin, weight, metadata };
}

function typeOf(row: RowColumns, { accept, type: wanted, named = false, place }: CheckRowOptions): RowType {
  const detected = detectRowType(row.columns);
  const expected = (wanted === undefined ? accept : [wanted]).map((name) => typeNames[name]).join(" or ");
  if (wanted !== undefined) {
    // A missing column is best explained by the column's own check.
    const lacking = requiredColumns[wanted].some((column) => !Object.hasOwn(row.columns, column));
    const sameType = "type" in detected && detected.type === wanted;
    if (named || sameType || (lacking && "problem" in detected)) return wanted;
  }
  if ("problem" in detected) throw bad("ATTUNE_DATA_COLUMN", place, expected, detected.problem);
  if (wanted !== undefined) {
    const found = `${typeNames[detected.type]}. All rows of one data set need the same type`;
    throw bad("ATTUNE_DATA_COLUMN", place, expected, found);
  }
  if (accept.includes(detected.type)) return detected.type;
  throw bad("ATTUNE_DATA_COLUMN", place, expected, typeNames[detected.type]);
}

function pairOf(row: RowColumns, turnMark: string | undefined) {
  const chosen = row.side("chosen");
  const rejected = row.side("rejected");
  if (Object.hasOwn(row.columns, "prompt")) return { prompt: row.prompt(), chosen, rejected };
  // Identical sides are dropped by the reader, with no need of a prompt.
  if (chosen === rejected) return { prompt: "", chosen, rejected };
  const split = splitImplicitPrompt({ chosen, rejected, ...(turnMark === undefined ? {} : { turnMark }) });
  const advice = 'Add a "prompt" column';
  if (split === undefined) {
    const expected = "chosen and rejected to begin with the same prompt";
    throw bad("ATTUNE_DATA", row.place, expected, `no common beginning that ends at a word. ${advice}`);
  }
  for (const side of ["chosen", "rejected"] as const) {
    if (split[side] !== "") continue;
    const expected = `an answer after the common prompt in column "${side}"`;
    throw bad("ATTUNE_DATA", row.place, expected, `none: the whole side is the prompt. ${advice}`);
  }
  return split;
}

interface NumberRange {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** The columns of one row, read with checks. */
class RowColumns {
  readonly columns: Columns;

  constructor(
    value: unknown,
    readonly place: RowPlace,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const advice = Array.isArray(value) ? ". Write one object per line instead of one list" : "";
      throw bad("ATTUNE_DATA", place, "a JSON object", describe(value) + advice);
    }
    this.columns = value as Columns;
  }

  others(known: readonly string[]): Columns {
    return Object.fromEntries(Object.entries(this.columns).filter(([name]) => !known.includes(name)));
  }

  text(column: string): string {
    const value = this.columns[column];
    if (!Object.hasOwn(this.columns, column)) {
      const found = `columns ${listColumns(this.columns)}${misspelt(this.columns, [column])}`;
      throw bad("ATTUNE_DATA_COLUMN", this.place, `a column "${column}"`, found, column);
    }
    if (typeof value !== "string") {
      throw bad("ATTUNE_DATA_COLUMN", this.place, `text in column "${column}"`, describe(value), column);
    }
    // UTF-8 has no half characters: their ids could not be decoded to this text again.
    if (/\p{Cs}/u.test(value)) {
      const expected = `whole characters in column "${column}"`;
      throw bad(
        "ATTUNE_DATA",
        this.place,
        expected,
        "half of a surrogate pair (\\ud800 to \\udfff alone)",
        column,
      );
    }
    return value;
  }

  /** An answer or text: must hold something. */
  side(column: string): string {
    const value = this.text(column);
    if (value !== "") return value;
    throw bad("ATTUNE_DATA", this.place, `text in column "${column}"`, 'an empty text ("")', column);
  }

  prompt(): string {
    const value = this.text("prompt");
    if (/\P{White_Space}/u.test(value)) return value;
    const found = `${value === "" ? 'an empty text ("")' : "only white space"}. Without a prompt, use a "text" column`;
    throw bad("ATTUNE_DATA", this.place, 'text in column "prompt"', found, "prompt");
  }

  number(column: string, { fallback, min, max }: NumberRange): number {
    const value = this.columns[column] ?? fallback;
    if (typeof value === "number" && value >= min && value <= max) return value;
    const range = max === Number.MAX_VALUE ? `a number >= ${min}` : `a number from ${min} to ${max}`;
    throw bad("ATTUNE_DATA_COLUMN", this.place, `${range} in column "${column}"`, describe(value), column);
  }
}

function bad(
  code: ErrorCode,
  place: RowPlace,
  expected: string,
  found: string,
  column?: string,
): AttuneError {
  const end = found.endsWith("?") ? "" : ".";
  const text = `${place.file}:${place.line}: expected ${expected} but found ${found}${end}`;
  return fail(code, `${text} Correct the row, or pass over it with --skip-bad-rows.`, {
    details: { ...place, ...(column === undefined ? {} : { column }) },
  });
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value))
    return value.every(isMessage) ? "a list of messages (not read by this version)" : "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 30))}`;
  return `${typeof value} ${String(value)}`;
}

function isMessage(value: unknown): boolean {
  return typeof value === "object" && value !== null && "role" in value;
}
