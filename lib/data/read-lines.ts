// Streams the lines of a text file, in a gzip or zstd archive or not, as bytes with their numbers.
// Must not hold the whole file, decode text or know what a line means.

import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import * as zlib from "node:zlib";
import { AttuneError, fail, reasonOf } from "../errors/index.js";
import type { FileFormat } from "./file-format.js";

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without the line feed. */
  readonly bytes: Uint8Array;
}

export interface ReadLinesOptions {
  readonly path: string;
  readonly format: Exclude<FileFormat, "parquet">;
}

const LINE_FEED = 10;
const CHUNK_BYTES = 1 << 17;

/**
 * Lines of a file in order, as many at a time as a chunk of the file holds. Their bytes may be views of that chunk.
 * Throws ATTUNE_FILE when the file cannot be read, ATTUNE_DATA when it is a broken archive.
 */
export async function* readLines({ path, format }: ReadLinesOptions): AsyncGenerator<readonly Line[]> {
  let number = 0;
  let parts: Uint8Array[] = [];
  try {
    for await (const chunk of contents(path, format)) {
      const lines: Line[] = [];
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        parts.push(chunk.subarray(start, end));
        number += 1;
        lines.push({ number, bytes: join(parts) });
        parts = [];
        start = end + 1;
      }
      if (start < chunk.length) parts.push(chunk.subarray(start));
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    throw readingError({ error, path, format, number });
  }
  if (parts.length > 0) yield [{ number: number + 1, bytes: join(parts) }];
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}

/** The file, or what is in the archive, piece by piece. @throws as readLines */
export async function* readChunks({ path, format }: ReadLinesOptions): AsyncGenerator<Uint8Array> {
  try {
    yield* contents(path, format);
  } catch (error) {
    throw readingError({ error, path, format });
  }
}

function contents(path: string, format: ReadLinesOptions["format"]): AsyncIterable<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (format === "plain") return file;
  if (format === "gzip")
    return pipeline(file, zlib.createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined);
  // Node has it since 22.15; the types are those of the oldest version served.
  const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: typeof zlib.createGunzip };
  if (createZstdDecompress === undefined) return unpackZstd(file);
  return pipeline(file, createZstdDecompress({ chunkSize: CHUNK_BYTES }), () => undefined);
}

async function* unpackZstd(file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  // The library hands out parts of its window, which it goes on to fill.
  const archive = new Decompress((data) => ready.push(data.slice()));
  for await (const chunk of file) {
    unpack(() => archive.push(new Uint8Array(chunk)));
    yield* ready.splice(0);
  }
  unpack(() => archive.push(new Uint8Array(0), true));
  yield* ready.splice(0);
}

/** An archive that is damaged, told from errors of the file itself. */
class DamagedArchive extends Error {}

function unpack(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new DamagedArchive(reasonOf(error), { cause: error });
  }
}

interface Broken {
  readonly error: unknown;
  readonly path: string;
  readonly format: ReadLinesOptions["format"];
  /** Of the last whole line, where they are counted. */
  readonly number?: number;
}

function readingError({ error, path, format, number }: Broken): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (error instanceof AttuneError) return error;
  if (error instanceof DamagedArchive || /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(code)) {
    const after = number === undefined ? "" : ` after line ${number}`;
    const text = `${path}: expected a whole ${format} archive but it breaks off or is damaged${after}`;
    return fail("ATTUNE_DATA", `${text} (${reasonOf(error)}). Fetch the file again.`, {
      cause: error,
      details: { file: path, ...(number === undefined ? {} : { line: number }) },
    });
  }
  // An error thrown into the generator by its consumer is not ours to explain.
  if (code === "") return error;
  return fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, {
    cause: error,
    details: { file: path },
  });
}
