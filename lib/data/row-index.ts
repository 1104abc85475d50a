// Where each record of a row store begins, and what is known of its row without reading it: 24 bytes a row.
// Must not hold records.

import type { RecordFacts } from "./row-record.js";

const BLOCK_ROWS = 4096;
const BYTES_PER_ROW = 24;
const BLOCK_BYTES = BLOCK_ROWS * BYTES_PER_ROW;

interface Block {
  readonly bytes: Uint8Array;
  /** [BLOCK_ROWS] word behind each record. */
  readonly ends: Float64Array;
  /** [BLOCK_ROWS, 4] trunk rows, targets, group (two words). */
  readonly facts: Int32Array;
}

/** Grows in blocks, so that millions of rows are never copied. */
export class RowIndex {
  readonly #blocks: Block[] = [];
  #length = 0;
  #words = 0;

  get length(): number {
    return this.#length;
  }

  /** Words of all records. */
  get words(): number {
    return this.#words;
  }

  push(words: number, { trunkRows, targets, group }: RecordFacts): void {
    const slot = this.#length % BLOCK_ROWS;
    if (slot === 0) this.#blocks.push(blockOf(new Uint8Array(BLOCK_BYTES)));
    const block = this.#blocks.at(-1);
    this.#words += words;
    this.#length += 1;
    if (block === undefined) return;
    block.ends[slot] = this.#words;
    block.facts.set([trunkRows, targets, ...group], 4 * slot);
  }

  /** First word of a record and the word behind it. */
  range(position: number): readonly [number, number] | undefined {
    if (!this.#has(position)) return undefined;
    return [position === 0 ? 0 : this.#end(position - 1), this.#end(position)];
  }

  facts(position: number): RecordFacts | undefined {
    if (!this.#has(position)) return undefined;
    const facts = this.#blocks[Math.floor(position / BLOCK_ROWS)]?.facts;
    const at = 4 * (position % BLOCK_ROWS);
    const [trunkRows = 0, targets = 0, low = 0, high = 0] = facts?.subarray(at, at + 4) ?? [];
    return { trunkRows, targets, group: [low >>> 0, high >>> 0] };
  }

  /** The blocks as they are written to a file. */
  bytes(): readonly Uint8Array[] {
    return this.#blocks.map((block) => block.bytes);
  }

  static byteLength(length: number): number {
    return Math.ceil(length / BLOCK_ROWS) * BLOCK_BYTES;
  }

  /** An index of `length` rows from the bytes of a file; undefined when they cannot be one of `words` words. */
  static from(bytes: Uint8Array, length: number, words: number): RowIndex | undefined {
    if (bytes.length !== RowIndex.byteLength(length)) return undefined;
    const index = new RowIndex();
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      index.#blocks.push(blockOf(bytes.slice(at, at + BLOCK_BYTES)));
    }
    index.#length = length;
    index.#words = words;
    return length === 0 || index.#end(length - 1) === words ? index : undefined;
  }

  #has(position: number): boolean {
    return Number.isInteger(position) && position >= 0 && position < this.#length;
  }

  #end(position: number): number {
    return this.#blocks[Math.floor(position / BLOCK_ROWS)]?.ends[position % BLOCK_ROWS] ?? 0;
  }
}

function blockOf(bytes: Uint8Array): Block {
  const facts = new Int32Array(bytes.buffer, bytes.byteOffset + 8 * BLOCK_ROWS, 4 * BLOCK_ROWS);
  return { bytes, ends: new Float64Array(bytes.buffer, bytes.byteOffset, BLOCK_ROWS), facts };
}
