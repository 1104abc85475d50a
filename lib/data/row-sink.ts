// Takes records one after another: in memory as long as they are few, then in a file.
// Must not know what is in a record, nor whether the file is kept: token-cache.ts does.

import { createHash } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { fail, reasonOf } from "../errors/index.js";
import { RowIndex } from "./row-index.js";
import type { RecordFacts } from "./row-record.js";

/** Bytes of records that stay in memory; with more, all go to a file. */
export const MEMORY_BYTES = 16 * 2 ** 20;
/** Bytes gathered for one write. */
const WRITE_BYTES = 2 ** 20;

/** First bytes of every file of rows: a name, and a number that reads otherwise on a machine of the other byte order. */
export const rowFileHead: Uint8Array = Buffer.concat([
  Buffer.from("attune tokens 1\n"),
  new Uint8Array(Float64Array.of(1).buffer),
]);

export interface RowSinkOptions {
  /** A new name for the file of records that do not fit in memory; may make its folder. */
  readonly spillPath: () => string;
  readonly memoryBytes?: number | undefined;
}

export interface FinishedRows {
  readonly index: RowIndex;
  /** SHA-256 of all records, hexadecimal. */
  readonly hash: string;
  /** All records, or the file that holds them behind `rowFileHead`. */
  readonly held: { readonly words: Int32Array } | SpillFile;
}

export interface SpillFile {
  readonly path: string;
  /** Open for reading and writing, at its end. */
  readonly file: number;
}

export class RowSink {
  readonly #index = new RowIndex();
  readonly #hash = createHash("sha256");
  readonly #options: RowSinkOptions;
  #parts: Int32Array[] = [];
  #gathered = 0;
  #spill: SpillFile | undefined;

  constructor(options: RowSinkOptions) {
    this.#options = options;
  }

  /** Words of the records, [records] words of each, [records] facts. Throws ATTUNE_OUTPUT when a file cannot be written. */
  add(words: Int32Array, lengths: Int32Array, facts: readonly RecordFacts[]): void {
    for (const [i, fact] of facts.entries()) this.#index.push(lengths[i] ?? 0, fact);
    this.#hash.update(bytesOf(words));
    this.#parts.push(words);
    this.#gathered += words.byteLength;
    const most = this.#spill === undefined ? (this.#options.memoryBytes ?? MEMORY_BYTES) : WRITE_BYTES;
    if (this.#gathered > most) this.#write();
  }

  /** The sink must not be used afterwards. */
  finish(): FinishedRows {
    if (this.#spill !== undefined) this.#write();
    const held = this.#spill ?? { words: joined(this.#parts) };
    this.#parts = [];
    this.#spill = undefined;
    return { index: this.#index, hash: this.#hash.digest("hex"), held };
  }

  /** Drops everything; a file that was begun is removed. */
  discard(): void {
    if (this.#spill !== undefined) removeSpill(this.#spill);
    this.#spill = undefined;
    this.#parts = [];
  }

  #write(): void {
    this.#spill ??= openSpill(this.#options.spillPath);
    for (const part of this.#parts) writeBytes(this.#spill, bytesOf(part));
    this.#parts = [];
    this.#gathered = 0;
  }
}

function openSpill(spillPath: () => string): SpillFile {
  let path = "a new file";
  try {
    path = spillPath();
    const spill = { path, file: openSync(path, "wx+") };
    writeBytes(spill, rowFileHead);
    return spill;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Throws ATTUNE_OUTPUT, for a full disk above all. */
export function writeBytes({ path, file }: SpillFile, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

export function removeSpill({ path, file }: SpillFile): void {
  closeSync(file);
  rmSync(path, { force: true });
}

function cannotWrite(path: string, error: unknown) {
  const advice = "Free some space, or name another folder with --token-cache or TMPDIR.";
  return fail("ATTUNE_OUTPUT", `Cannot write tokenised rows to ${path}: ${reasonOf(error)}. ${advice}`, {
    cause: error,
    details: { path },
  });
}

export function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** Arrays one after another. */
export function joined(parts: readonly Int32Array[]): Int32Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const words = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    words.set(part, at);
    at += part.length;
  }
  return words;
}
