// What may become rows of an import, unparsed, with their places: lines or one large list, from files or a text that was sent.
// Must not hold a whole file.

import { fileFormat, findFiles, type RawRow, readChunks, rowsOfFile } from "../../data/index.js";
import { jsonElements } from "./json-elements.js";

/** Paths of files, folders or patterns; a text of JSON lines or a JSON list; or the rows themselves. */
export type ImportSource =
  | string
  | readonly string[]
  | { readonly text: string }
  | { readonly rows: Iterable<unknown> | AsyncIterable<unknown> };

export async function* rawImport(source: ImportSource): AsyncGenerator<readonly RawRow[]> {
  if (typeof source !== "string" && "rows" in source) {
    let number = 0;
    for await (const value of source.rows) yield [{ place: { file: "rows", line: ++number }, value }];
    return;
  }
  if (typeof source !== "string" && "text" in source) {
    yield* rowsOfText(source.text);
    return;
  }
  const paths = typeof source === "string" ? [source] : source;
  for (const path of await findFiles({ paths })) yield* rowsOfPath(path);
}

async function* rowsOfPath(path: string): AsyncGenerator<readonly RawRow[]> {
  const format = await fileFormat({ path });
  if (format !== "parquet" && (await beginsAsList(readChunks({ path, format }))))
    yield* jsonElements(readChunks({ path, format }), path);
  else yield* rowsOfFile(path);
}

const SENT = "body";

async function* rowsOfText(text: string): AsyncGenerator<readonly RawRow[]> {
  const bytes = Buffer.from(text);
  if (await beginsAsList([bytes])) {
    yield* jsonElements([bytes], SENT);
    return;
  }
  let line = 0;
  const rows: RawRow[] = [];
  for (const one of text.split("\n")) {
    line += 1;
    if (one.trim() !== "") rows.push({ place: { file: SENT, line }, bytes: Buffer.from(one) });
  }
  yield rows;
}

/** Whether the first byte that says something is "[". */
async function beginsAsList(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<boolean> {
  for await (const chunk of chunks) {
    const first = Buffer.from(chunk).toString("latin1").replace(/^ï»¿/, "").trimStart()[0];
    if (first !== undefined) return first === "[";
  }
  return false;
}
