// Streams what may become rows, unparsed, from files of every kind or from objects in memory, with their places.
// Must not check or tokenise.

import { fail, reasonOf } from "../errors/index.js";
import { fileFormat } from "./file-format.js";
import { findFiles } from "./find-files.js";
import { readLines } from "./read-lines.js";
import { readParquet } from "./read-parquet.js";
import type { RowPlace } from "./rows.js";

/** Paths of files, folders or patterns, or the rows themselves. */
export type RowSource = string | readonly string[] | Iterable<object> | AsyncIterable<object>;

/** A line of JSON as bytes, or a value that needs no parsing. */
export interface RawRow {
  readonly place: RowPlace;
  readonly bytes?: Uint8Array;
  readonly value?: unknown;
}

/** The paths a source names, or undefined when it is rows (or rows and paths) in memory. */
export function pathsOf(data: RowSource): readonly string[] | undefined {
  if (typeof data === "string") return [data];
  const items: readonly unknown[] = Array.isArray(data) ? data : [];
  return items.length > 0 && items.every((item) => typeof item === "string") ? items : undefined;
}

/** Rows in order, as many at a time as were read together. Bytes are views that later reading does not change. */
export async function* rawRows(data: RowSource): AsyncGenerator<readonly RawRow[]> {
  const items = typeof data === "string" ? [data] : data;
  let number = 0;
  for await (const item of items as Iterable<unknown> | AsyncIterable<unknown>) {
    number += 1;
    if (typeof item !== "string") yield [{ place: { file: "rows", line: number }, value: item }];
    else for (const path of await findFiles({ paths: [item] })) yield* rowsOfFile(path);
  }
}

/** Throws ATTUNE_DATA when the file holds none. */
export async function* rowsOfFile(path: string): AsyncGenerator<readonly RawRow[]> {
  const format = await fileFormat({ path });
  let rows = 0;
  for await (const part of format === "parquet" ? readParquet({ path }) : readLines({ path, format })) {
    const sound: RawRow[] = [];
    for (const item of part) {
      const place = { file: path, line: item.number };
      if ("value" in item) sound.push({ place, value: item.value });
      else if (!isBlank(item.bytes)) sound.push({ place, bytes: item.bytes });
    }
    rows += sound.length;
    if (sound.length > 0) yield sound;
  }
  if (rows > 0) return;
  const found = format === "parquet" ? "a table without rows" : "only blank lines";
  const text = `${path}: expected one row or more but found ${found}.`;
  throw fail("ATTUNE_DATA", text, { details: { file: path } });
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The row's value. Throws ATTUNE_DATA_JSON for a line that is not UTF-8 or not JSON. */
export function parseRaw({ bytes, value, place }: RawRow): unknown {
  if (bytes === undefined) return value;
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
  for (const byte of bytes) if (byte !== 32 && byte !== 13 && byte !== 9) return false;
  return true;
}
