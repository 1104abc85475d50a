// Streams rows from JSONL files (gzipped or not) or from objects, each checked, with file and line in every error.
// Must not tokenise.

import { fail, reasonOf } from "../errors/index.js";
import { checkRow } from "./check-row.js";
import { readLines } from "./read-lines.js";
import { countDropped, createRowCounts, type RowCounts, tolerate } from "./row-counts.js";
import type { Row, RowPlace, RowType } from "./rows.js";

/** Paths of JSONL files, or the rows themselves. */
export type RowSource = string | readonly string[] | Iterable<object> | AsyncIterable<object>;

export interface ReadRowsOptions {
  readonly data: RowSource;
  /** Row types the trainer can use. Default: all. */
  readonly accept?: readonly RowType[];
  /** Fixes the type; "auto" (default) takes that of the first sound row and asks it of all others. */
  readonly format?: RowType | "auto";
  /** Where a prompt ends that preference rows do not name. Default "\n\nAssistant:". */
  readonly turnMark?: string;
  /** Bad rows that are counted and passed over; the next one throws. Default 0. */
  readonly skipBadRows?: number;
  /** Filled while reading. */
  readonly counts?: RowCounts;
  readonly signal?: AbortSignal;
}

interface RawRow {
  readonly place: RowPlace;
  /** Throws when the row is not JSON. */
  readonly parse: () => unknown;
}

/**
 * Rows in file order. Pairs with identical sides are dropped and counted.
 *
 * Throws ATTUNE_FILE, ATTUNE_DATA, ATTUNE_DATA_COLUMN or ATTUNE_DATA_JSON for the first bad row beyond `skipBadRows`,
 * and at once for a file that is missing, empty, broken off or of another format.
 */
export async function* readRows(options: ReadRowsOptions): AsyncGenerator<Row> {
  const { accept = ["text", "prompt-completion", "preference"], format = "auto", skipBadRows = 0 } = options;
  const { counts = createRowCounts(), signal, turnMark } = options;
  let type = format === "auto" ? undefined : format;
  if (type !== undefined && !accept.includes(type)) {
    throw fail("ATTUNE_OPTION", `Expected format to be one of ${accept.join(", ")} but received ${type}.`);
  }
  for await (const { place, parse } of rawRows(options.data)) {
    signal?.throwIfAborted();
    const index = counts.read++;
    let row: Row;
    try {
      const named = format !== "auto";
      const rules = { place, accept, type, named, ...(turnMark === undefined ? {} : { turnMark }) };
      row = { index, place, ...checkRow({ value: parse(), ...rules }) };
    } catch (error) {
      tolerate({ error, counts, skipBadRows });
      continue;
    }
    type = row.type;
    if (row.type === "preference" && row.chosen === row.rejected) countDropped(counts, "identical");
    else yield row;
  }
}

async function* rawRows(data: RowSource): AsyncGenerator<RawRow> {
  const items = typeof data === "string" ? [data] : data;
  let number = 0;
  for await (const item of items as Iterable<unknown> | AsyncIterable<unknown>) {
    number += 1;
    if (typeof item === "string") yield* rowsOfFile(item);
    else yield { place: { file: "rows", line: number }, parse: () => item };
  }
}

async function* rowsOfFile(path: string): AsyncGenerator<RawRow> {
  let rows = 0;
  for await (const { number, bytes } of readLines({ path })) {
    if (isBlank(bytes)) continue;
    rows += 1;
    const place = { file: path, line: number };
    yield { place, parse: () => parseLine(bytes, place) };
  }
  if (rows > 0) return;
  const text = `${path}: expected one JSON object per line but found only blank lines.`;
  throw fail("ATTUNE_DATA", text, { details: { file: path } });
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function parseLine(bytes: Uint8Array, place: RowPlace): unknown {
  const where = `${place.file}:${place.line}`;
  const advice = "Correct the row, or pass over it with --skip-bad-rows.";
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    const message = `${where}: expected UTF-8 text but found other bytes. ${advice}`;
    throw fail("ATTUNE_DATA_JSON", message, { cause: error, details: { ...place } });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const spread = text.trim() === "[" || text.trim() === "{" ? " Write each object on one line." : "";
    const message = `${where}: expected one JSON object on the line but found broken JSON (${reasonOf(error)}).`;
    throw fail("ATTUNE_DATA_JSON", `${message}${spread} ${advice}`, { cause: error, details: { ...place } });
  }
}

/** Only white space as JSON knows it: tab, carriage return, space. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 32 || byte === 13 || byte === 9);
}
