// Streams the rows of a Parquet file as objects, one row group in memory at a time.
// Must not check what the rows hold. The packages that read Parquet are optional and loaded at the first use.

import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { fail, reasonOf } from "../errors/index.js";

export interface ParquetRow {
  /** From 1, in file order. */
  readonly number: number;
  readonly value: object;
}

/**
 * A missing value (null) leaves its column out of the row, also inside structs; integers become numbers where they are
 * exact. Text that is not UTF-8 stays bytes, which no column of text takes.
 * Throws ATTUNE_DATA when the file is damaged, ATTUNE_FILE when it cannot be read or the packages are missing.
 */
export async function* readParquet({
  path,
}: {
  readonly path: string;
}): AsyncGenerator<readonly ParquetRow[]> {
  const { library, compressors } = await loadLibrary(path);
  let file: AsyncBuffer;
  let metadata: FileMetaData;
  try {
    file = await library.asyncBufferFromFile(path);
    metadata = await library.parquetMetadataAsync(file);
  } catch (error) {
    throw damaged(path, "its table of contents", error);
  }
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: readonly object[];
    try {
      const parsers = { stringFromBytes };
      const range = { rowStart, rowEnd };
      rows = await library.parquetReadObjects({ file, metadata, compressors, parsers, ...range });
    } catch (error) {
      throw damaged(path, `rows ${rowStart + 1} to ${rowEnd}`, error);
    }
    const first = rowStart + 1;
    yield rows.map((row, i) => ({ number: first + i, value: plain(row) as object }));
    rowStart = rowEnd;
  }
}

async function loadLibrary(path: string) {
  try {
    const [library, { compressors }] = await Promise.all([
      import("hyparquet"),
      import("hyparquet-compressors"),
    ]);
    return { library, compressors };
  } catch (error) {
    const text = `${path} is a Parquet file, and the packages that read it are not installed`;
    const advice = "Run `npm install hyparquet hyparquet-compressors`, or convert the file to JSONL.";
    throw fail("ATTUNE_FILE", `${text} (${reasonOf(error)}). ${advice}`, {
      cause: error,
      details: { file: path },
    });
  }
}

function damaged(path: string, part: string, error: unknown) {
  if (error instanceof Error && "syscall" in error) {
    return fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
      details: { file: path },
    });
  }
  const text = `${path}: expected a whole Parquet file but ${part} cannot be read (${reasonOf(error)}).`;
  return fail("ATTUNE_DATA", `${text} Fetch the file again.`, { cause: error, details: { file: path } });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function stringFromBytes(bytes: Uint8Array | undefined): string | Uint8Array | undefined {
  try {
    return bytes === undefined ? undefined : decoder.decode(bytes);
  } catch {
    return bytes;
  }
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const known = Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined);
  return Object.fromEntries(known.map(([name, entry]) => [name, plain(entry)]));
}
