// A tokenised row as 32-bit words and back: how rows are kept in memory, on disk and sent between threads.
// Must not read files or know where the words come from.

import { createHash } from "node:crypto";
import { fail } from "../errors/index.js";
import { targetsOfRow, trunkRowsOf } from "./pack.js";
import type { RowSize, TokenisedRow } from "./tokenised-row.js";

/** The files that rows name, by number. */
export type FileNames = readonly string[];

/** Words of a record's head; then lengths, hash, numbers, ids, masks and the rest as JSON, each where a flag says so. */
const HEAD = 6;
const HASH_WORDS = 8;
const flags = { truncated: 1, hexHash: 2, numbers: 4, masks: 8, klCompletion: 16, rest: 32 } as const;
const hexHash = /^[0-9a-f]{64}$/;

/** A mask's place in a record where every token is a target. */
const NO_MASK = -1;

/**
 * Words of one row: [flags, index, file, line, prompt length, completions], lengths of the completions, hash, numbers
 * (weight, label, margin unless 1, 1, 0), ids, masks, the mismatched completion, every other field as JSON.
 */
export function encodeRecord(row: TokenisedRow, file: number): Int32Array {
  const { prompt, completions, masks, weight, label, margin, index, place } = row;
  const { truncated, promptHash, klCompletion, ...others } = row;
  const hex = hexHash.test(promptHash);
  const rest = hex ? others : { ...others, promptHash };
  const parts: Int32Array[] = [Int32Array.from(completions, ({ length }) => length)];
  if (hex) parts.push(wordsOf(Buffer.from(promptHash, "hex")));
  const numbers = weight !== 1 || label !== 1 || margin !== 0;
  if (numbers) parts.push(new Int32Array(Float64Array.of(weight, label, margin).buffer));
  parts.push(prompt, ...completions);
  if (masks !== undefined) parts.push(...completions.flatMap((_, i) => maskWords(masks[i])));
  if (klCompletion !== undefined) parts.push(Int32Array.of(klCompletion.length), klCompletion);
  const json = restOf(rest);
  if (json !== undefined) parts.push(Int32Array.of(json.length), wordsOf(json));
  const words = new Int32Array(parts.reduce((sum, { length }) => sum + length, HEAD));
  const flag =
    (truncated ? flags.truncated : 0) |
    (hex ? flags.hexHash : 0) |
    (numbers ? flags.numbers : 0) |
    (masks === undefined ? 0 : flags.masks) |
    (klCompletion === undefined ? 0 : flags.klCompletion) |
    (json === undefined ? 0 : flags.rest);
  words.set([flag, index, file, place.line, prompt.length, completions.length]);
  let at = HEAD;
  for (const part of parts) {
    words.set(part, at);
    at += part.length;
  }
  return words;
}

/** Fields without a place of their own. */
function restOf(row: Readonly<Record<string, unknown>>): Buffer | undefined {
  const own = ["prompt", "completions", "masks", "weight", "label", "margin", "index", "place"];
  const rest = Object.entries(row).filter(([name, value]) => !own.includes(name) && value !== undefined);
  return rest.length === 0 ? undefined : Buffer.from(JSON.stringify(Object.fromEntries(rest)));
}

function maskWords(mask: Uint8Array | undefined): readonly Int32Array[] {
  return mask === undefined ? [Int32Array.of(NO_MASK)] : [Int32Array.of(mask.length), wordsOf(mask)];
}

/** Bytes in words of four, zeros behind. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/** The row of a record. Its arrays are views of `words` where they can be. */
export function decodeRecord(words: Int32Array, files: FileNames): TokenisedRow {
  const [flag = 0, index = 0, file = 0, line = 0, promptLength = 0, count = 0] = words;
  const cursor = new RecordCursor(words, HEAD);
  const lengths = cursor.take(count);
  const hash =
    (flag & flags.hexHash) === 0 ? {} : { promptHash: cursor.bytes(4 * HASH_WORDS).toString("hex") };
  const [weight = 1, label = 1, margin = 0] = (flag & flags.numbers) === 0 ? [] : cursor.numbers(3);
  const prompt = cursor.take(promptLength);
  const completions = Array.from(lengths, (length) => cursor.take(length));
  const masks = (flag & flags.masks) === 0 ? {} : { masks: completions.map(() => cursor.mask()) };
  const mismatched = (flag & flags.klCompletion) === 0 ? {} : { klCompletion: cursor.take(cursor.word()) };
  const rest = (flag & flags.rest) === 0 ? {} : (JSON.parse(cursor.text()) as Partial<TokenisedRow>);
  const truncated = (flag & flags.truncated) !== 0;
  const place = { file: files[file] ?? "rows", line };
  const own = {
    prompt,
    completions,
    ...masks,
    weight,
    label,
    margin,
    ...mismatched,
    index,
    place,
    truncated,
  };
  return { promptHash: "", ...hash, ...rest, ...own };
}

/** Walks over the words of one record. */
class RecordCursor {
  constructor(
    private readonly words: Int32Array,
    private at: number,
  ) {}

  take(count: number): Int32Array {
    const taken = this.words.subarray(this.at, this.at + count);
    if (count < 0 || taken.length < count) {
      const text = `Expected ${count} more words of a tokenised row but found ${taken.length}.`;
      throw fail("ATTUNE_INTERNAL", text);
    }
    this.at += count;
    return taken;
  }

  word(): number {
    return this.take(1)[0] ?? 0;
  }

  bytes(count: number): Buffer {
    const words = this.take(Math.ceil(count / 4));
    return Buffer.from(words.buffer, words.byteOffset, count);
  }

  numbers(count: number): Float64Array {
    return new Float64Array(this.take(2 * count).slice().buffer);
  }

  mask(): Uint8Array | undefined {
    const length = this.word();
    if (length === NO_MASK) return undefined;
    const { buffer, byteOffset } = this.bytes(length);
    return new Uint8Array(buffer, byteOffset, length);
  }

  text(): string {
    return this.bytes(this.word()).toString("utf8");
  }
}

/** What a store knows of a row without reading it. */
export interface RecordFacts extends RowSize {
  /** The first 64 bits of a hash of `promptHash`, as two words: rows of one prompt share them. */
  readonly group: readonly [number, number];
}

export function recordFacts(row: TokenisedRow): RecordFacts {
  return { trunkRows: trunkRowsOf(row), targets: targetsOfRow(row), group: groupOf(row) };
}

/** Two words that stand for a row's prompt. */
export function groupOf({ promptHash }: Pick<TokenisedRow, "promptHash">): readonly [number, number] {
  const hash = createHash("sha256").update(promptHash).digest();
  return [hash.readUInt32LE(0), hash.readUInt32LE(4)];
}
