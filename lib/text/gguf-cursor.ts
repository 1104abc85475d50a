// Walks through the header of a GGUF file in chunks and reads its scalar types, strings and arrays.
// Must not know what keys mean; must not allocate by a count it has not checked against the file's size.

import { readSync } from "node:fs";
import { type AttuneError, fail, reasonOf } from "../errors/index.js";

export type GgufArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array
  | readonly string[]
  | readonly boolean[]
  | readonly GgufArray[];

/** 64-bit integers are numbers where a number holds them exactly, else bigint. */
export type GgufValue = number | bigint | boolean | string | GgufArray;

export interface GgufCursorOptions {
  readonly file: number;
  readonly fileSize: number;
  readonly path: string;
}

const CHUNK_BYTES = 1 << 20;
const STRING = 8;
const ARRAY = 9;
const BOOL = 7;
const MAX_NESTING = 4;

type Numeric = Exclude<GgufArray, readonly string[] | readonly boolean[] | readonly GgufArray[]>;

interface NumericType {
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => Numeric;
}

const numericTypes: ReadonlyMap<number, NumericType> = new Map<number, NumericType>([
  [0, { bytes: 1, array: Uint8Array }],
  [1, { bytes: 1, array: Int8Array }],
  [2, { bytes: 2, array: Uint16Array }],
  [3, { bytes: 2, array: Int16Array }],
  [4, { bytes: 4, array: Uint32Array }],
  [5, { bytes: 4, array: Int32Array }],
  [6, { bytes: 4, array: Float32Array }],
  [10, { bytes: 8, array: BigUint64Array }],
  [11, { bytes: 8, array: BigInt64Array }],
  [12, { bytes: 8, array: Float64Array }],
]);

const SHOWN_CHARACTERS = 160;

/** Names come from the file: a damaged one must not send control characters or pages of them to a terminal. */
function printable(text: string): string {
  const short = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return short.replaceAll(/[\p{C}\ufffd]/gu, "?");
}

export class GgufCursor {
  readonly fileSize: number;
  readonly #file: number;
  readonly #path: string;
  #chunk = Buffer.alloc(0);
  /** Where the chunk begins in the file. */
  #chunkStart = 0;
  #position = 0;

  constructor({ file, fileSize, path }: GgufCursorOptions) {
    this.#file = file;
    this.fileSize = fileSize;
    this.#path = path;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** The error for a broken file, with the place. */
  broken(expected: string, found: string, advice = "The file is damaged or not complete."): AttuneError {
    const place = `${this.#path}, byte ${this.#position}`;
    const details = { path: this.#path, offset: this.#position };
    const text = `expected ${printable(expected)} but found ${printable(found)}`;
    return fail("ATTUNE_FORMAT", `${place}: ${text}. ${advice}`, { details });
  }

  magic(): string {
    return this.#take(4, "the GGUF mark").toString("latin1");
  }

  u32(what: string): number {
    return this.#take(4, what).readUInt32LE();
  }

  /** A 64-bit size or offset. No file is so large that a number could not hold it exactly. */
  u64(what: string): number {
    const value = this.#take(8, what).readBigUInt64LE();
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw this.broken(`${what} below 2^53`, String(value));
  }

  /** A count of things that each take at least `smallest` bytes of the rest of the file. */
  count(what: string, smallest: number): number {
    const count = this.u64(what);
    const left = this.fileSize - this.#position;
    if (count * smallest <= left) return count;
    throw this.broken(
      `a ${what} that fits the ${left} bytes left`,
      `${count} (at least ${count * smallest} bytes)`,
    );
  }

  string(what: string): string {
    const bytes = this.#take(this.count(`length of ${what}`, 1), what);
    return bytes.toString("utf8");
  }

  value(type: number, key: string, nesting = 0): GgufValue {
    if (type === STRING) return this.string(`"${key}"`);
    if (type === BOOL) return this.#boolean(key);
    if (type === ARRAY) return this.#array(key, nesting + 1);
    const numeric = this.#numericType(type, key);
    const single = this.#numbers(numeric, 1, key)[0] ?? 0;
    return typeof single === "bigint" &&
      BigInt(Number(single)) === single &&
      Number.isSafeInteger(Number(single))
      ? Number(single)
      : single;
  }

  #boolean(key: string): boolean {
    const byte = this.#take(1, `"${key}"`)[0];
    if (byte === 0 || byte === 1) return byte === 1;
    throw this.broken(`0 or 1 for the boolean "${key}"`, String(byte));
  }

  #array(key: string, nesting: number): GgufArray {
    if (nesting > MAX_NESTING)
      throw this.broken(`at most ${MAX_NESTING} arrays inside each other in "${key}"`, "more");
    const type = this.u32(`type of the elements of "${key}"`);
    const what = `length of "${key}"`;
    if (type === STRING) return this.#list(this.count(what, 8), () => this.string(`an element of "${key}"`));
    if (type === BOOL) return this.#list(this.count(what, 1), () => this.#boolean(key));
    if (type === ARRAY) return this.#list(this.count(what, 12), () => this.#array(key, nesting));
    const numeric = this.#numericType(type, key);
    return this.#numbers(numeric, this.count(what, numeric.bytes), key);
  }

  #list<T>(count: number, read: () => T): T[] {
    const list: T[] = [];
    for (let i = 0; i < count; i++) list.push(read());
    return list;
  }

  #numericType(type: number, key: string): NumericType {
    const numeric = numericTypes.get(type);
    if (numeric === undefined) throw this.broken(`a value type from 0 to 12 for "${key}"`, String(type));
    return numeric;
  }

  #numbers({ bytes, array }: NumericType, count: number, key: string): Numeric {
    const source = this.#take(count * bytes, `"${key}"`);
    const copy = new ArrayBuffer(source.length);
    new Uint8Array(copy).set(source);
    return new array(copy);
  }

  /** The next bytes of the file. The buffer is only good until the next call. */
  #take(bytes: number, what: string): Buffer {
    const end = this.#position + bytes;
    if (end > this.fileSize)
      throw this.broken(`${what} (${bytes} bytes)`, `the end of the file at byte ${this.fileSize}`);
    if (this.#position < this.#chunkStart || end > this.#chunkStart + this.#chunk.length) this.#fill(bytes);
    const start = this.#position - this.#chunkStart;
    this.#position = end;
    return this.#chunk.subarray(start, start + bytes);
  }

  #fill(bytes: number): void {
    const size = Math.min(Math.max(bytes, CHUNK_BYTES), this.fileSize - this.#position);
    const chunk = Buffer.allocUnsafe(size);
    let filled = 0;
    try {
      while (filled < size) {
        const read = readSync(this.#file, chunk, filled, size - filled, this.#position + filled);
        if (read === 0) throw this.broken(`${size} bytes`, `the end of the file after ${filled}`);
        filled += read;
      }
    } catch (error) {
      if (!(error instanceof Error) || !("errno" in error)) throw error;
      throw fail("ATTUNE_FILE", `Cannot read ${this.#path}: ${reasonOf(error)}`, { cause: error });
    }
    this.#chunk = chunk;
    this.#chunkStart = this.#position;
  }
}
