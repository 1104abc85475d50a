// Sets of tokenised rows: all words in memory, or read from a file row by row, or a choice of another set's rows.
// Must not tokenise or write files.

import { closeSync, readSync } from "node:fs";
import { fail } from "../errors/index.js";
import { targetsOfRow, trunkRowsOf } from "./pack.js";
import type { RowIndex } from "./row-index.js";
import { decodeRecord, type FileNames, groupOf } from "./row-record.js";
import type { RowSize, TokenisedRow, TokenisedRows } from "./tokenised-row.js";

/** A set of rows that can also be walked through. */
export interface RowStore extends TokenisedRows, Iterable<TokenisedRow> {
  sizeAt(position: number): RowSize | undefined;
  groupAt(position: number): readonly [number, number] | undefined;
  /** Lets go of the file, where there is one; rows cannot be read afterwards. */
  close(): void;
}

interface StoreParts {
  readonly index: RowIndex;
  readonly files: FileNames;
  /** The words from one to another; a store in memory gives views. */
  readonly read: (start: number, end: number) => Int32Array;
  readonly close: () => void;
}

class IndexedRows implements RowStore {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get length(): number {
    return this.#parts.index.length;
  }

  /** Like an array's: a negative position counts from the end. */
  at(position: number): TokenisedRow | undefined {
    const { index, files, read } = this.#parts;
    const range = index.range(position < 0 ? this.length + position : position);
    return range === undefined ? undefined : decodeRecord(read(...range), files);
  }

  sizeAt(position: number): RowSize | undefined {
    const facts = this.#parts.index.facts(position);
    return facts && { trunkRows: facts.trunkRows, targets: facts.targets };
  }

  groupAt(position: number): readonly [number, number] | undefined {
    return this.#parts.index.facts(position)?.group;
  }

  *[Symbol.iterator](): Iterator<TokenisedRow> {
    for (let position = 0; position < this.length; position++) {
      const row = this.at(position);
      if (row !== undefined) yield row;
    }
  }

  close(): void {
    this.#parts.close();
  }
}

export interface MemoryRowsOptions {
  readonly index: RowIndex;
  readonly files: FileNames;
  /** All records, one after another. */
  readonly words: Int32Array;
}

export function memoryRows({ index, files, words }: MemoryRowsOptions): RowStore {
  const read = (start: number, end: number) => words.subarray(start, end);
  return new IndexedRows({ index, files, read, close: () => undefined });
}

export interface FileRowsOptions {
  readonly index: RowIndex;
  readonly files: FileNames;
  /** An open file; the store closes it. */
  readonly file: number;
  /** Byte of the file where the records begin. */
  readonly offset: number;
}

/** Files of stores that nobody closed are closed with the store. */
const forgotten = new FinalizationRegistry<() => void>((close) => close());

export function fileRows({ index, files, file, offset }: FileRowsOptions): RowStore {
  let open = true;
  const close = () => {
    if (open) closeSync(file);
    open = false;
  };
  const read = (start: number, end: number) => {
    if (!open) throw fail("ATTUNE_DISPOSED", "Expected an open set of rows, but its file was closed.");
    const words = new Int32Array(end - start);
    const bytes = new Uint8Array(words.buffer);
    const count = readSync(file, bytes, 0, bytes.length, offset + 4 * start);
    if (count === bytes.length) return words;
    const text = `Expected ${bytes.length} bytes of a tokenised row but read ${count}: the file of rows was cut meanwhile.`;
    throw fail("ATTUNE_FILE", text);
  };
  const rows = new IndexedRows({ index, files, read, close });
  forgotten.register(rows, close);
  return rows;
}

/** The rows at `positions`, in that order. */
export function selectRows(rows: TokenisedRows, positions: Int32Array): TokenisedRows {
  const inner = (position: number) => positions.at(position) ?? rows.length;
  return {
    length: positions.length,
    at: (position) => rows.at(inner(position)),
    sizeAt: (position) => sizeOfRow(rows, inner(position)),
    groupAt: (position) => groupOfRow(rows, inner(position)),
  };
}

/** Size of one row, without reading it where the set knows. */
export function sizeOfRow(rows: TokenisedRows, position: number): RowSize | undefined {
  if (rows.sizeAt !== undefined) return rows.sizeAt(position);
  const row = rows.at(position);
  return row === undefined ? undefined : { trunkRows: trunkRowsOf(row), targets: targetsOfRow(row) };
}

/** Two words that rows of one prompt share. */
export function groupOfRow(rows: TokenisedRows, position: number): readonly [number, number] | undefined {
  if (rows.groupAt !== undefined) return rows.groupAt(position);
  const row = rows.at(position);
  return row === undefined ? undefined : groupOf(row);
}
