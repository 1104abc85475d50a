// Streams the lines of a text file, gzipped or not, as bytes with their numbers.
// Must not hold the whole file, decode text or know what a line means.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { AttuneError, fail, reasonOf } from "../errors/index.js";

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without the line feed. */
  readonly bytes: Uint8Array;
}

const LINE_FEED = 10;
const gzipMagic = [0x1f, 0x8b];
/** Formats somebody may pass by mistake, by their first bytes. */
const otherFormats: readonly (readonly [readonly number[], string])[] = [
  [[0x28, 0xb5, 0x2f, 0xfd], "a zstd archive"],
  [[0x50, 0x4b, 0x03, 0x04], "a zip archive"],
  [[0x50, 0x41, 0x52, 0x31], "a parquet file"],
  [[0x42, 0x5a, 0x68], "a bzip2 archive"],
  [[0xfd, 0x37, 0x7a, 0x58], "an xz archive"],
  [[0x47, 0x47, 0x55, 0x46], "a GGUF model"],
];

/**
 * Lines of a file in order. Gzip is recognised by its first bytes, whatever the name.
 * Throws ATTUNE_FILE when the file cannot be read, ATTUNE_DATA when it is empty, of another format, or a broken archive.
 */
export async function* readLines(options: { readonly path: string }): AsyncGenerator<Line> {
  const { path } = options;
  const gzipped = await looksGzipped(path);
  const file = createReadStream(path);
  const bytes: AsyncIterable<Uint8Array> = gzipped ? pipeline(file, createGunzip(), () => {}) : file;
  let number = 0;
  let parts: Uint8Array[] = [];
  try {
    for await (const chunk of bytes) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
        parts.push(chunk.subarray(start, end));
        number += 1;
        yield { number, bytes: join(parts) };
        parts = [];
        start = end + 1;
      }
      if (start < chunk.length) parts.push(chunk.subarray(start));
    }
  } catch (error) {
    throw readingError({ error, path, gzipped, number });
  }
  if (parts.length > 0) yield { number: number + 1, bytes: join(parts) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}

interface Broken {
  readonly error: unknown;
  readonly path: string;
  readonly gzipped: boolean;
  readonly number: number;
}

function readingError({ error, path, gzipped, number }: Broken): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // An error thrown into the generator by its consumer is not ours to explain.
  if (error instanceof AttuneError || code === "") return error;
  if (gzipped && code.startsWith("Z_")) {
    const text = `${path}: expected a whole gzip archive but it breaks off or is damaged after line ${number}`;
    return fail("ATTUNE_DATA", `${text} (${reasonOf(error)}). Fetch the file again.`, {
      cause: error,
      details: { file: path, line: number },
    });
  }
  return fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, {
    cause: error,
    details: { file: path },
  });
}

async function looksGzipped(path: string): Promise<boolean> {
  const head = new Uint8Array(4);
  let size: number;
  try {
    const file = await open(path);
    try {
      size = (await file.read(head, 0, head.length, 0)).bytesRead;
    } finally {
      await file.close();
    }
  } catch (error) {
    const text = `Expected a file of rows at ${path}, but it cannot be read: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { file: path } });
  }
  const startsWith = (magic: readonly number[]) => magic.every((byte, i) => i < size && head[i] === byte);
  const expected = "expected one JSON object per line (JSONL, gzipped or not)";
  if (size === 0) {
    throw fail("ATTUNE_DATA", `${path}: ${expected} but the file is empty.`, { details: { file: path } });
  }
  const other = otherFormats.find(([magic]) => startsWith(magic))?.[1];
  if (other === undefined) return startsWith(gzipMagic);
  throw fail("ATTUNE_DATA", `${path}: ${expected} but found ${other}. Convert it.`, {
    details: { file: path },
  });
}
