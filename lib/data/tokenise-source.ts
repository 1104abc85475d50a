// Reads a source and tokenises it, small data in turns on the calling thread, more of it on worker threads beside it.
// Results come in order. Must not keep them or decide about bad rows.

import { setImmediate } from "node:timers/promises";
import type { Tokenizer } from "../text/index.js";
import { ChunkBuilder } from "./chunk-builder.js";
import { type RawRow, type RowSource, rawRows, rowsOfFile } from "./raw-rows.js";
import type { RowType } from "./rows.js";
import { type ChunkResult, type RawChunk, type RowSettings, tokeniseChunk } from "./tokenise-chunk.js";
import { openPool, type TokenisePool } from "./tokenise-pool.js";
import { hashesOf } from "./tokenise-worker.js";

export interface TokeniseSourceOptions {
  /** Files in order, or rows in memory, which are tokenised on the calling thread. */
  readonly source: { readonly files: readonly string[] } | { readonly data: RowSource };
  /** Names of the files by number; grows by files that rows in memory name. */
  readonly names: string[];
  readonly tokenizer: Tokenizer;
  readonly settings: RowSettings;
  readonly skipBadRows: number;
  /** Most worker threads beside the calling one, which does its share; 0 = it does all. */
  readonly threads: number;
  /** Bytes tokenised on the calling thread before workers take over: loading a tokenizer costs them as much. */
  readonly bytesHere?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes tokenised before other work of the process gets its turn: a few milliseconds. */
const TURN_BYTES = 4096;
const BYTES_HERE = 4 * 2 ** 20;
/** Bytes of one message to a worker. */
const CHUNK_BYTES = 2 ** 17;
/** Messages under way for each worker: one at work, one waiting. */
const OPEN_PER_THREAD = 2;

/**
 * Results of all rows in order. Throws what reading a file throws, after the results of everything before, and the
 * signal's reason when it is aborted.
 */
export async function* tokeniseSource(options: TokeniseSourceOptions): AsyncGenerator<ChunkResult> {
  const { source, signal } = options;
  const work = new SourceWork(options);
  const parts = "files" in source ? rowsOfFiles(source.files) : rawRows(source.data);
  let reading: { readonly error: unknown } | undefined;
  try {
    try {
      for await (const part of parts) {
        for (const raw of part) {
          work.add(raw);
          if (!work.full) continue;
          yield* work.next();
          signal?.throwIfAborted();
        }
      }
    } catch (error) {
      // Rows before the place where reading failed come first: one of them may be bad.
      reading = { error };
    }
    if (signal?.aborted !== true) yield* work.rest();
    if (reading !== undefined) throw reading.error;
  } finally {
    await work.close();
  }
}

async function* rowsOfFiles(files: readonly string[]): AsyncGenerator<readonly RawRow[]> {
  for (const file of files) yield* rowsOfFile(file);
}

class SourceWork {
  readonly #options: TokeniseSourceOptions;
  readonly #builder: ChunkBuilder;
  #pool: TokenisePool | undefined;
  /** Results to come, in the order of the rows. */
  #open: Promise<readonly ChunkResult[]>[] = [];
  /** Messages to workers among them that have no answer yet. */
  #sent = 0;
  #closed = false;
  #type: RowType | undefined;
  #bytesHere = 0;

  constructor(options: TokeniseSourceOptions) {
    this.#options = options;
    this.#builder = new ChunkBuilder(options.names);
  }

  add(raw: RawRow): void {
    this.#builder.add(raw);
  }

  /** Whether there is enough for one turn, or for one message. */
  get full(): boolean {
    return this.#builder.bytes >= (this.#pool === undefined ? TURN_BYTES : CHUNK_BYTES);
  }

  /** Sends off or works off what was gathered; the results that are ready or have to be waited for. */
  async *next(): AsyncGenerator<ChunkResult> {
    if (this.#pool === undefined) {
      this.#bytesHere += this.#builder.bytes;
      yield this.#here(this.#builder.take());
      await setImmediate();
      this.#pool = this.#startPool();
      return;
    }
    this.#start(this.#pool, this.#builder.take());
    // Each worker has what it needs, and this thread a chunk of its own: no reading ahead.
    while (this.#open.length > this.#room) yield* this.#first();
  }

  async *rest(): AsyncGenerator<ChunkResult> {
    if (this.#builder.bytes > 0) {
      const chunk = this.#builder.take();
      if (this.#pool === undefined) yield this.#here(chunk);
      else this.#start(this.#pool, chunk);
    }
    while (this.#open.length > 0) yield* this.#first();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.close();
  }

  /** Messages that the workers may have under way together. */
  get #room(): number {
    return OPEN_PER_THREAD * this.#options.threads;
  }

  #here(chunk: RawChunk): ChunkResult {
    const { tokenizer, settings, names, skipBadRows } = this.#options;
    const result = tokeniseChunk({ chunk, tokenizer, settings, names, type: this.#type, skipBadRows });
    this.#type = result.type;
    return result;
  }

  async *#first(): AsyncGenerator<ChunkResult> {
    for (const result of (await this.#open.shift()) ?? []) {
      this.#options.signal?.throwIfAborted();
      yield result;
    }
  }

  /** Gives a chunk to a worker that has room for it, else to this thread. */
  #start(pool: TokenisePool, chunk: RawChunk): void {
    const results = this.#sent < this.#room ? this.#send(pool, chunk) : this.#inTurns(chunk);
    // An earlier result may end the run before this one is looked at.
    results.catch(() => undefined);
    this.#open.push(results);
  }

  async #send(pool: TokenisePool, chunk: RawChunk): Promise<readonly ChunkResult[]> {
    this.#sent += 1;
    try {
      return [await pool.submit({ chunk, names: this.#options.names, type: this.#type })];
    } finally {
      this.#sent -= 1;
    }
  }

  async #inTurns(chunk: RawChunk): Promise<readonly ChunkResult[]> {
    const results: ChunkResult[] = [];
    for (const part of turnsOf(chunk)) {
      if (this.#closed) break;
      results.push(this.#here(part));
      await setImmediate();
    }
    return results;
  }

  /** Workers start once there is much to do and the type of the rows is known, which is theirs to check. */
  #startPool(): TokenisePool | undefined {
    const { tokenizer, settings, threads, skipBadRows, bytesHere = BYTES_HERE, source } = this.#options;
    const { origin } = tokenizer;
    const enough = this.#bytesHere >= bytesHere && this.#type !== undefined;
    if (!enough || threads < 1 || origin === undefined || "data" in source) return undefined;
    return openPool({ threads, origin, hashes: hashesOf(tokenizer), settings, skipBadRows });
  }
}

/** Parts of a chunk of about `TURN_BYTES`. */
function* turnsOf(chunk: RawChunk): Generator<RawChunk> {
  const rows = chunk.lines.length;
  const turns = Math.max(1, Math.ceil(chunk.bytes.length / TURN_BYTES), Math.ceil(chunk.values.length / 4));
  const step = Math.ceil(rows / turns);
  for (let start = 0; start < rows; start += step) {
    const end = start + step;
    yield {
      firstIndex: chunk.firstIndex + start,
      files: chunk.files.subarray(start, end),
      lines: chunk.lines.subarray(start, end),
      spans: chunk.spans.subarray(2 * start, 2 * end),
      bytes: chunk.bytes,
      values: chunk.values.slice(start, end),
    };
  }
}
