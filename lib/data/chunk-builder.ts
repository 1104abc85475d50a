// Gathers raw rows into chunks that can be sent to a worker. Must not parse rows.

import type { RawRow } from "./raw-rows.js";
import type { RawChunk } from "./tokenise-chunk.js";

/** Gathers raw rows into chunks of about `chunkBytes`. */
export class ChunkBuilder {
  readonly #names: Map<string, number>;
  #rows: RawRow[] = [];
  #bytes = 0;
  #next = 0;

  /** `names` grows by every new file. */
  constructor(private readonly names: string[]) {
    this.#names = new Map(names.map((name, number) => [name, number]));
  }

  /** Bytes gathered; a value counts like a line of middling length. */
  get bytes(): number {
    return this.#bytes;
  }

  add(raw: RawRow): void {
    this.#rows.push(raw);
    this.#bytes += raw.bytes?.length ?? 1024;
  }

  take(): RawChunk {
    const rows = this.#rows;
    const spans = new Int32Array(2 * rows.length).fill(-1);
    const bytes = new Uint8Array(rows.reduce((sum, row) => sum + (row.bytes?.length ?? 0), 0));
    let start = 0;
    for (const [i, row] of rows.entries()) {
      if (row.bytes === undefined) continue;
      bytes.set(row.bytes, start);
      spans.set([start, start + row.bytes.length], 2 * i);
      start += row.bytes.length;
    }
    const firstIndex = this.#next;
    this.#next += rows.length;
    this.#rows = [];
    this.#bytes = 0;
    return {
      firstIndex,
      files: Int32Array.from(rows, (row) => this.#number(row.place.file)),
      lines: Int32Array.from(rows, (row) => row.place.line),
      spans,
      bytes,
      values: spans.includes(-1) ? rows.map((row) => row.value) : [],
    };
  }

  #number(file: string): number {
    const known = this.#names.get(file);
    if (known !== undefined) return known;
    const number = this.names.push(file) - 1;
    this.#names.set(file, number);
    return number;
  }
}
