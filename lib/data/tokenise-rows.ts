// Turns rows into token ids: exact boundary between prompt and completion, EOS, explicit lengths, length limits.
// Must not build batches or read files.

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import { fitDemonstration, fitPair, joinIds, type SequenceIds } from "./fit-length.js";
import { countDropped, createRowCounts, type DropReason, type RowCounts } from "./row-counts.js";
import type { Row, RowPlace } from "./rows.js";

/** What rows are for: demonstrations (one completion each) or preference pairs (two). */
export type Task = "sft" | "preference";

export interface TokenisedRow {
  /** Ids of the prompt, BOS in front where the tokenizer puts one. For `text` rows the first token. Never empty. */
  readonly prompt: Int32Array;
  /** One for a demonstration, [chosen, rejected] for a pair. Every token is a target; EOS is included unless cut. */
  readonly completions: readonly Int32Array[];
  readonly weight: number;
  /** P(chosen is better); 1 for demonstrations. */
  readonly label: number;
  readonly margin: number;
  /** Number of the row in file order, from 0. */
  readonly index: number;
  readonly place: RowPlace;
  readonly truncated: boolean;
  /** SHA-256 of the prompt's ids (of all ids for `text` rows), hexadecimal: rows of one prompt share it. */
  readonly promptHash: string;
}

export interface TokeniseRowsOptions {
  readonly rows: Iterable<Row> | AsyncIterable<Row>;
  readonly tokenizer: Tokenizer;
  readonly task: Task;
  /** Most tokens of prompt + completion, EOS included. Default 1024. */
  readonly maxLength?: number;
  /**
   * What happens to pairs over `maxLength`: "drop" (default), or "truncate": keep the prompt's end and the completions'
   * start. Demonstrations always keep their start.
   */
  readonly overLength?: "drop" | "truncate";
  /** Entries of the model's embedding; ids beyond it are an error. */
  readonly vocabularySize?: number;
  /** Filled while tokenising. */
  readonly counts?: RowCounts;
  readonly signal?: AbortSignal;
}

/** Characters tokenised before other work of the process gets its turn: a few milliseconds. */
const CHARACTERS_PER_TURN = 4096;

/**
 * Ids = tok(prompt) ++ tok(completion): joined text is never tokenised and cut. White space at a prompt's end moves to
 * the completions. Dropped and cut rows are counted by reason.
 * Throws ATTUNE_TOKENIZER when the tokenizer names no EOS or makes ids that the model does not have, ATTUNE_OPTION for a
 * `maxLength` below 2.
 */
export async function* tokeniseRows(options: TokeniseRowsOptions): AsyncGenerator<TokenisedRow> {
  const { tokenizer, task, maxLength = 1024, overLength = "drop", vocabularySize, signal } = options;
  const { counts = createRowCounts() } = options;
  if (!Number.isSafeInteger(maxLength) || maxLength < 2) {
    throw fail(
      "ATTUNE_OPTION",
      `Expected maxLength to be an integer >= 2 (tokens) but received ${maxLength}.`,
    );
  }
  const eosId = eosOf(tokenizer);
  let characters = 0;
  for await (const row of options.rows) {
    const encoded = encodeRow({ row, tokenizer, task, eosId });
    checkVocabulary(encoded, row.place, vocabularySize);
    const fitted = fitRow({ encoded, task, maxLength, overLength, start: tokenizer.startIds.length });
    if (typeof fitted === "string") {
      countDropped(counts, fitted);
    } else {
      counts.kept += 1;
      if (fitted.truncated) counts.truncated += 1;
      const { weight, index, place } = row;
      const pair = row.type === "preference" && task === "preference" ? row : { label: 1, margin: 0 };
      const hashed = row.type === "text" ? [encoded.prompt, ...encoded.completions] : [encoded.prompt];
      const { label, margin } = pair;
      yield { ...fitted, weight, label, margin, index, place, promptHash: hashIds(hashed) };
    }
    characters += lengthOf(row);
    if (characters < CHARACTERS_PER_TURN) continue;
    characters = 0;
    await setImmediate();
    signal?.throwIfAborted();
  }
}

function eosOf(tokenizer: Tokenizer): number {
  if (tokenizer.eosId !== undefined) return tokenizer.eosId;
  const advice = 'Set "eos_token" in tokenizer_config.json or "eos_token_id" in config.json.';
  throw fail(
    "ATTUNE_TOKENIZER",
    `Expected an EOS token, which ends every answer, but the tokenizer names none. ${advice}`,
  );
}

interface EncodeRowOptions {
  readonly row: Row;
  readonly tokenizer: Tokenizer;
  readonly task: Task;
  readonly eosId: number;
}

function encodeRow({ row, tokenizer, task, eosId }: EncodeRowOptions): SequenceIds {
  const ended = (ids: Int32Array): Int32Array => {
    const last = ids.at(-1);
    return last !== undefined && tokenizer.eosIds.includes(last) ? ids : joinIds(ids, Int32Array.of(eosId));
  };
  if (task === "preference" && row.type !== "preference") {
    const { file, line } = row.place;
    const text = `${file}:${line}: expected a preference row (chosen, rejected) but found a ${row.type} row.`;
    throw fail("ATTUNE_DATA", text, { details: { ...row.place } });
  }
  if (row.type === "text") {
    const all = ended(started(tokenizer.encode(row.text), tokenizer.startIds));
    return { prompt: all.slice(0, 1), completions: [all.slice(1)] };
  }
  const prompt = row.prompt.replace(/\p{White_Space}+$/u, "");
  const moved = row.prompt.slice(prompt.length);
  const texts = row.type === "prompt-completion" ? [row.completion] : [row.chosen, row.rejected];
  const used = task === "sft" ? texts.slice(0, 1) : texts;
  return {
    prompt: started(tokenizer.encode(prompt), tokenizer.startIds),
    completions: used.map((text) => ended(tokenizer.encode(moved + text))),
  };
}

/** The tokenizer's own start once: text that spells it out gets no second one. */
function started(ids: Int32Array, start: Int32Array): Int32Array {
  return start.every((id, i) => ids[i] === id) ? ids : joinIds(start, ids);
}

function checkVocabulary(row: SequenceIds, { file, line }: RowPlace, size: number | undefined): void {
  if (size === undefined) return;
  for (const ids of [row.prompt, ...row.completions]) {
    const wrong = ids.find((id) => id >= size);
    if (wrong === undefined) continue;
    const expected = `Expected token ids below the model's vocabulary of ${size}`;
    const text = `${expected} but the tokenizer made ${wrong} (${file}:${line}). Use the tokenizer this model was trained with.`;
    throw fail("ATTUNE_TOKENIZER", text, { details: { file, line, id: wrong, vocabularySize: size } });
  }
}

interface FitOptions {
  readonly encoded: SequenceIds;
  readonly task: Task;
  readonly maxLength: number;
  readonly overLength: "drop" | "truncate";
  readonly start: number;
}

function fitRow({ encoded, task, maxLength, overLength, start }: FitOptions) {
  if (encoded.prompt.length === 0) return "empty_prompt" satisfies DropReason;
  return task === "sft"
    ? fitDemonstration({ ids: encoded, maxLength })
    : fitPair({ ids: encoded, maxLength, overLength, start });
}

function lengthOf(row: Row): number {
  if (row.type === "text") return row.text.length;
  if (row.type === "prompt-completion") return row.prompt.length + row.completion.length;
  return row.prompt.length + row.chosen.length + row.rejected.length;
}

function hashIds(parts: readonly Int32Array[]): string {
  const hash = createHash("sha256");
  for (const ids of parts) hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  return hash.digest("hex");
}
