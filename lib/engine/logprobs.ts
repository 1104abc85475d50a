// Log-probs of plain rows: text or ids in, one array per row out. Packs rows itself; prompts are computed once per row.
// Must not add or drop tokens beyond the tokenizer's own start.

import { type PackableRow, packStep } from "../data/index.js";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import type { FrozenModel, JobOptions } from "./contract.js";
import { expectKeys } from "./options.js";

export type TextOrIds = string | Int32Array | readonly number[];

export interface LogprobRow {
  readonly prompt: TextOrIds;
  readonly completion: TextOrIds;
}

export interface LogprobsOptions extends JobOptions {
  /** Trunk rows of one micro-batch; a longer row gets one of its own. Default 2048. */
  readonly microBatchTokens?: number;
  /** Divides the logits; default 1. */
  readonly temperature?: number;
}

export interface RowLogprobsOptions {
  readonly rows: Iterable<LogprobRow>;
  readonly options: LogprobsOptions;
  readonly model: FrozenModel;
  /** Asked for only when a row holds text. */
  readonly tokenizer: () => Promise<Tokenizer>;
}

export async function rowLogprobs(request: RowLogprobsOptions): Promise<Float32Array[]> {
  const { model, options } = request;
  expectKeys("logprobs", options, ["microBatchTokens", "temperature", "signal"]);
  const { microBatchTokens = 2048, temperature = 1, signal } = options;
  const data: PackableRow[] = [];
  for (const row of request.rows) data.push(await packable(row, data.length, request));
  const results: Float32Array[] = data.map(() => new Float32Array(0));
  const job = signal === undefined ? {} : { signal };
  for (const batch of packStep({ data, rows: Array.from(data.keys()), microBatchTokens })) {
    const { logprobs } = await model.forward(batch, { temperature, ...job });
    batch.rows.forEach((row, group) => {
      // One completion per group.
      const first = batch.completions[2 * group] ?? 0;
      const count = batch.completions[2 * group + 1] ?? 0;
      results[row] = logprobs.slice(first, first + count);
    });
  }
  return results;
}

async function packable(
  row: LogprobRow,
  index: number,
  { model, tokenizer }: RowLogprobsOptions,
): Promise<PackableRow> {
  expectSides(row, index);
  const { prompt, completion } = await idsOf(row, tokenizer);
  if (prompt.length === 0) {
    throw fail(
      "ATTUNE_DATA",
      `Row ${index}: expected at least one prompt token, which predicts the first of the completion.`,
    );
  }
  const length = prompt.length + completion.length;
  if (length > model.maxPositions) {
    const text = `Row ${index}: expected at most ${model.maxPositions} tokens (the model's positions) but received ${length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  return { prompt, completions: [completion] };
}

function expectSides(
  row: Partial<Record<"prompt" | "completion", unknown>> | undefined,
  index: number,
): void {
  for (const side of ["prompt", "completion"] as const) {
    const value = row?.[side];
    if (typeof value === "string") continue;
    if (typeof value === "object" && value !== null && Symbol.iterator in value) {
      expectWholeIds([...(value as Iterable<unknown>)], side, index);
      continue;
    }
    const text = `Row ${index}: expected ${side} to be a text or token ids but received ${String(value)}.`;
    throw fail("ATTUNE_DATA", text, { details: { row: index, column: side } });
  }
}

function expectWholeIds(ids: readonly unknown[], side: "prompt" | "completion", index: number): void {
  const wrong = wrongId(ids);
  if (wrong === undefined) return;
  const text = `Row ${index}: expected ${side} to hold whole token ids but received ${wrong}.`;
  throw fail("ATTUNE_DATA", text, { details: { row: index, column: side } });
}

/** The first that is no whole number of 32 bits, as text: an array of token ids would take it for another one. */
export function wrongId(ids: readonly unknown[]): string | undefined {
  const at = ids.findIndex((id) => typeof id !== "number" || id !== (id | 0));
  return at < 0 ? undefined : String(ids[at]);
}

async function idsOf(
  { prompt, completion }: LogprobRow,
  tokenizer: () => Promise<Tokenizer>,
): Promise<{ prompt: Int32Array; completion: Int32Array }> {
  if (typeof prompt !== "string" && typeof completion !== "string")
    return { prompt: Int32Array.from(prompt), completion: Int32Array.from(completion) };
  const { encode, startIds } = await tokenizer();
  if (typeof prompt !== "string")
    return { prompt: Int32Array.from(prompt), completion: encode(String(completion)) };
  if (typeof completion !== "string")
    return { prompt: started(encode(prompt), startIds), completion: Int32Array.from(completion) };
  // As in training: white space at the prompt's end belongs to the completion's first token.
  const kept = prompt.replace(/\p{White_Space}+$/u, "");
  return {
    prompt: started(encode(kept), startIds),
    completion: encode(prompt.slice(kept.length) + completion),
  };
}

/** The tokenizer's own start once: text that spells it out gets no second one. */
function started(ids: Int32Array, start: Int32Array): Int32Array {
  if (start.every((id, i) => ids[i] === id)) return ids;
  return Int32Array.from([...start, ...ids]);
}
