// Prompts to sample from: rows of any form that holds one, tokenised, cut or dropped and counted; and which of them a
// rollout takes. Must not sample.

import { createHash } from "node:crypto";
import { cutPrompt } from "../data/cut-prompt.js";
import {
  acceptedTypes,
  type Content,
  createRowCounts,
  epochOrder,
  noRowsLeft,
  type Row,
  type RowCounts,
  type RowFormat,
  type RowSource,
  readRows,
  tokeniseRow,
} from "../data/index.js";
import { countOutcomes, tolerate } from "../data/row-counts.js";
import { withoutTemplate } from "../data/tokenise-row.js";
import type { JobOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";

/** A prompt as the policy reads it, and as its row has it. */
export interface RolloutPrompt {
  /** What the policy continues; never empty. */
  readonly ids: Int32Array;
  /** Text, messages or ids; of a prompt that was cut, what is left of it. */
  readonly content: Content;
  /** Number of the row over all files, from 0. */
  readonly row: number;
  /** `prompts.jsonl:7`, for messages. */
  readonly place: string;
  /** Columns of the row that its type does not know, for reward functions. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface OpenPrompts extends JobOptions {
  /** Rows with a `prompt`: prompts alone, or with answers, which are left aside. */
  readonly data: RowSource;
  readonly tokenizer: Tokenizer;
  /** Most tokens of a prompt. Default 1024. */
  readonly maxLength?: number;
  /** "drop" (default) prompts that are longer, or "truncate": messages or lines go from their front. */
  readonly overLength?: "drop" | "truncate";
  readonly format?: RowFormat;
  /** Bad rows that are counted and passed over. Default 0. */
  readonly skipBadRows?: number;
  /** Entries of the model's embedding; ids beyond it are an error. */
  readonly vocabularySize?: number;
}

export interface RolloutPrompts {
  readonly prompts: readonly RolloutPrompt[];
  readonly counts: RowCounts;
  /** SHA-256 of all ids. */
  readonly hash: string;
}

/** Reads all prompts into memory. Throws what reading rows throws; ATTUNE_NO_ROWS when none is left. */
export async function openPrompts(options: OpenPrompts): Promise<RolloutPrompts> {
  const { data, format = "auto", skipBadRows = 0, signal } = options;
  const counts = createRowCounts();
  const prompts: RolloutPrompt[] = [];
  const hash = createHash("sha256");
  const reading = { format, skipBadRows, counts, ...(signal === undefined ? {} : { signal }) };
  for await (const row of readRows({ data, accept: acceptedTypes.prompt, ...reading })) {
    try {
      for (const prompt of promptsOfRow(row, options, counts)) {
        prompts.push(prompt);
        hash.update(Int32Array.of(prompt.ids.length)).update(prompt.ids);
      }
    } catch (error) {
      tolerate({ error, counts, skipBadRows });
    }
  }
  if (prompts.length === 0) throw noRowsLeft(counts);
  return { prompts, counts, hash: hash.digest("hex") };
}

/** One, or none where it was dropped. */
function promptsOfRow(row: Row, options: OpenPrompts, counts: RowCounts): RolloutPrompt[] {
  const { tokenizer, maxLength = 1024, overLength = "drop", vocabularySize } = options;
  const size = vocabularySize === undefined ? {} : { vocabularySize };
  const outcomes = tokeniseRow(row, { tokenizer, task: "prompt", maxLength, overLength, ...size });
  return countOutcomes(counts, { row, outcomes, single: false }).map(({ prompt, truncated }) => {
    const read = withoutTemplate(row, tokenizer);
    const cut = truncated ? cutPrompt({ row: read, tokenizer, maxLength }) : undefined;
    const { place, metadata, index } = row;
    return {
      ids: prompt,
      content: cut?.content ?? contentOf(read),
      row: index,
      place: `${place.file}:${place.line}`,
      metadata,
    };
  });
}

function contentOf(row: Row): Content {
  if ("prompt" in row) return row.prompt;
  throw fail("ATTUNE_INTERNAL", `Expected a row with a prompt but found ${row.type}.`);
}

export interface PromptOrder {
  /** Prompts there are. */
  readonly promptCount: number;
  /** Prompts of each rollout. */
  readonly count: number;
  /** 64 bits. */
  readonly seed: number | bigint;
  /** False: in the order of their rows. Default true. */
  readonly shuffle?: boolean;
}

/**
 * Which prompts a rollout takes, by its number: [count] positions. Pass follows pass, each in an order of its own (stream
 * shuffle), so that every rollout is full and any can be found again.
 */
export function promptOrder(options: PromptOrder): (rollout: number) => Int32Array {
  const { promptCount, count, seed, shuffle = true } = options;
  for (const [name, value] of Object.entries({ promptCount, count })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw fail("ATTUNE_OPTION", `Expected ${name} to be an integer of at least 1 but received ${value}.`);
  }
  let known: { readonly epoch: number; readonly order: Int32Array } = { epoch: -1, order: new Int32Array(0) };
  const orderOf = (epoch: number) => {
    if (known.epoch !== epoch)
      known = { epoch, order: epochOrder({ rowCount: promptCount, epoch, seed, shuffle }) };
    return known.order;
  };
  return (rollout) =>
    Int32Array.from({ length: count }, (_, i) => {
      const place = rollout * count + i;
      return orderOf(Math.floor(place / promptCount))[place % promptCount] ?? 0;
    });
}
