// Keeps the summed log-probs of the frozen reference per row: in memory, and in a file that later runs may share.
// Must not use an engine: it stores numbers, the loop computes them.

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeFolder } from "../engine/make-folder.js";
import { fail, reasonOf } from "../errors/index.js";
import { unwritable, writeAll } from "./run-files.js";

export interface ReferenceCacheOptions {
  /** The run's folder or a shared one; created when missing. */
  readonly folder: string;
  /** Of weights and arithmetic: another key is another file. */
  readonly key: string;
}

/** One line of the file: `{"row":"<hash>","logprobs":[chosen,rejected]}`. */
interface CacheLine {
  readonly row: string;
  readonly logprobs: readonly number[];
}

/** Reference log-probs by row hash. Several runs may append to one file: lines are whole, equal rows are equal. */
export class ReferenceCache {
  readonly file: string;
  readonly #known: Map<string, Float64Array>;
  readonly #handle: number;

  private constructor(file: string, known: Map<string, Float64Array>, handle: number) {
    this.file = file;
    this.#known = known;
    this.#handle = handle;
  }

  /**
   * Reads what the folder already holds under this key.
   * @throws ATTUNE_OUTPUT when the folder cannot be written
   */
  static open({ folder, key }: ReferenceCacheOptions): ReferenceCache {
    const file = join(folder, `reference-${key}.jsonl`);
    try {
      makeFolder(resolve(folder));
      const handle = openSync(file, "a+");
      endLine(handle);
      return new ReferenceCache(file, readLines(file), handle);
    } catch (error) {
      throw fail("ATTUNE_OUTPUT", `Cannot use the cache folder ${folder}: ${reasonOf(error)}.`, {
        cause: error,
      });
    }
  }

  get size(): number {
    return this.#known.size;
  }

  get(row: string): Float64Array | undefined {
    return this.#known.get(row);
  }

  /**
   * Remembers one summed log-prob per completion of the row.
   * @throws ATTUNE_OUTPUT when the disk is full; the torn line is passed over by the next reader
   */
  set(row: string, logprobs: Float64Array): void {
    this.#known.set(row, logprobs);
    try {
      writeAll(this.#handle, `${JSON.stringify({ row, logprobs: [...logprobs] } satisfies CacheLine)}\n`);
    } catch (error) {
      throw unwritable(this.file, error);
    }
  }

  close(): void {
    closeSync(this.#handle);
  }
}

/** Ends a line that a killed run left unfinished, so that the next one starts on its own. */
function endLine(handle: number): void {
  const { size } = fstatSync(handle);
  if (size === 0) return;
  const last = Buffer.alloc(1);
  readSync(handle, last, 0, 1, size - 1);
  if (last.toString() !== "\n") writeSync(handle, "\n");
}

/** Lines that are whole; a torn one is the trace of a killed run, and its row is computed again. */
function readLines(file: string): Map<string, Float64Array> {
  const known = new Map<string, Float64Array>();
  for (const text of readFileSync(file, "utf8").split("\n")) {
    const line = parseLine(text);
    if (line !== undefined) known.set(line.row, Float64Array.from(line.logprobs));
  }
  return known;
}

function parseLine(text: string): CacheLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { row, logprobs } = value as Partial<CacheLine>;
    if (typeof row !== "string" || !Array.isArray(logprobs)) return undefined;
    return logprobs.every((number) => Number.isFinite(number)) ? { row, logprobs } : undefined;
  } catch {
    return undefined;
  }
}
