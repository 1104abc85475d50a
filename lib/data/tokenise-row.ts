// One row to token ids within the length limit, or why it is dropped. Pure: the same on every thread.
// Must not count, read files or build batches.

import { createHash } from "node:crypto";
import { AttuneError, fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import { cutPrompt } from "./cut-prompt.js";
import { type EncodedRow, encodeRow, eosOf, type Task } from "./encode-row.js";
import { type FittedIds, fitAnswers, fitDemonstration, fitSteps, sameIds } from "./fit-length.js";
import { sameContent } from "./ranking-columns.js";
import { type DropReason, isTie } from "./row-counts.js";
import type { Row, RowPlace, RowType } from "./rows.js";
import { singleAnswers } from "./single-answers.js";
import type { TokenisedRow } from "./tokenised-row.js";

export interface TokeniseSettings {
  readonly tokenizer: Tokenizer;
  readonly task: Task;
  /** Most tokens of prompt + completion, EOS included. Default 1024. */
  readonly maxLength?: number;
  /**
   * What happens to pairs, unpaired rows and prompts over `maxLength`: "drop" (default), or "truncate": keep the prompt's
   * end and the completions' start; a prompt alone is cut at a message or line. Demonstrations always keep their start;
   * rankings, ratings, steps and whatever is for a reward model are always dropped.
   */
  readonly overLength?: "drop" | "truncate";
  /** Entries of the model's embedding; ids beyond it are an error. */
  readonly vocabularySize?: number;
  /** SFT: whether only the assistant's tokens are targets. Default: in whole conversations (`messages`) yes, else no. */
  readonly assistantOnly?: boolean;
  /** Pairs of label 0.5: "keep" (default; a soft label) or "drop". Rankings that order nothing are always dropped. */
  readonly ties?: "keep" | "drop";
}

/**
 * Row types that a task can use. SFT takes prompt + chosen of a preference row; "prompt" the prompts of any; "unpaired"
 * the two sides of a pair as a good and a bad answer.
 */
export const acceptedTypes: Readonly<Record<Task, readonly RowType[]>> = {
  sft: ["prompt-completion", "text", "preference"],
  preference: ["preference"],
  prompt: ["prompt", "prompt-completion", "preference"],
  unpaired: ["unpaired", "preference"],
  ranking: ["ranking", "best-of"],
  rating: ["rating"],
  reward: ["preference", "ranking", "best-of", "rating"],
  stepwise: ["stepwise"],
};

/** Throws ATTUNE_OPTION for a `maxLength` below 2, ATTUNE_TOKENIZER for a tokenizer that names no EOS. */
export function checkTokeniseSettings({ tokenizer, task, maxLength = 1024 }: TokeniseSettings): void {
  if (!Number.isSafeInteger(maxLength) || maxLength < 2) {
    throw fail(
      "ATTUNE_OPTION",
      `Expected maxLength to be an integer >= 2 (tokens) but received ${maxLength}.`,
    );
  }
  if (task !== "prompt") eosOf(tokenizer);
}

/**
 * Ids = tok(prompt) ++ tok(completion): joined text is never tokenised and cut. Messages go through the chat template;
 * transcripts (`--format hh`) do so too where the model has one, and stay text where it has none.
 * A row gives one row of ids or the reason why it gives none; a pair that is judged as two single answers gives two.
 * Throws with the row's place: ATTUNE_TOKENIZER for ids that the model does not have, ATTUNE_DATA where the row brought them,
 * ATTUNE_TEMPLATE and ATTUNE_TEMPLATE_PREFIX for conversations that the template does not fit.
 */
export function tokeniseRow(given: Row, settings: TokeniseSettings): readonly (TokenisedRow | DropReason)[] {
  const { tokenizer, task } = settings;
  const row = withoutTemplate(given, tokenizer);
  requireTask(row, task);
  if (row.type === "preference" && task !== "prompt") {
    if (sameContent(row.chosen, row.rejected)) return ["identical"];
    if (task === "unpaired") {
      const answers = singleAnswers(row);
      return typeof answers === "string" ? [answers] : answers.map((answer) => tokeniseOne(answer, settings));
    }
    if (row.bothBad === true) return ["both_bad"];
  }
  return [tokeniseOne(row, settings)];
}

function tokeniseOne(row: Row, settings: TokeniseSettings): TokenisedRow | DropReason {
  const { tokenizer, task, assistantOnly, vocabularySize, ties = "keep" } = settings;
  const judgement = judgementOf(row, task);
  if (isTie(judgement) && (ties === "drop" || judgement.ranks !== undefined)) return "tie";
  try {
    const encoded = encodeRow({ row, tokenizer, task, assistantOnly });
    checkVocabulary(encoded, row, vocabularySize);
    const fitted = dropReasonOf(encoded, row, settings) ?? fitRow(encoded, row, settings);
    if (typeof fitted === "string") return fitted;
    const { weight, index, place, source } = row;
    return {
      ...withoutBrought(fitted, judgement),
      weight,
      index,
      place,
      promptHash: row.group === undefined ? hashIds(encoded.hashed) : hashText(row.group),
      ...(source === undefined ? {} : { source }),
    };
  } catch (error) {
    throw withPlace(error, row.place);
  }
}

/** A transcript that became messages is text again for a model without a chat template. */
export function withoutTemplate(row: Row, tokenizer: Tokenizer): Row {
  if (row.transcript === undefined || tokenizer.chat !== undefined) return row;
  return { ...row, ...row.transcript } as Row;
}

function requireTask(row: Row, task: Task): void {
  if (acceptedTypes[task].includes(row.type)) return;
  const { file, line } = row.place;
  const text = `${file}:${line}: expected a ${acceptedTypes[task].join(" or ")} row but found a ${row.type} row.`;
  throw fail("ATTUNE_DATA", text, { details: { ...row.place } });
}

type Judgement = Pick<
  TokenisedRow,
  "label" | "margin" | "ranks" | "placed" | "rating" | "axis" | "stepLabels" | "referenceLogps"
>;

/** What the row says about its answers, as far as the task asks. */
function judgementOf(row: Row, task: Task): Judgement {
  const none = { label: 1, margin: 0 };
  if (task === "sft" || task === "prompt") return none;
  if (row.type === "preference") {
    const { label, margin, referenceLogps } = row;
    return { label, margin, ...(referenceLogps === undefined ? {} : { referenceLogps }) };
  }
  if (row.type === "unpaired") return { ...none, label: row.good ? 1 : 0 };
  if (row.type === "stepwise") return { ...none, stepLabels: row.labels };
  if (row.type === "rating")
    return { ...none, rating: row.rating, ...(row.axis === undefined ? {} : { axis: row.axis }) };
  if (row.type !== "ranking" && row.type !== "best-of") return none;
  return { ...none, ranks: row.ranks, ...(row.placed === undefined ? {} : { placed: row.placed }) };
}

/** Log-probs that a row brings along belong to its whole answers: a cut row's are computed anew. */
function withoutBrought(fitted: FittedIds, judgement: Judgement): FittedIds & Judgement {
  if (!fitted.truncated) return { ...fitted, ...judgement };
  const { referenceLogps: _brought, ...others } = judgement;
  return { ...fitted, ...others };
}

/** Tasks that compare the answers of a row, so that they must not be the same. */
const comparedTasks: ReadonlySet<Task> = new Set(["preference", "ranking", "reward"]);

function dropReasonOf(
  encoded: EncodedRow,
  row: Row,
  { tokenizer, task }: TokeniseSettings,
): DropReason | undefined {
  if (encoded.prompt.length === 0) return "empty_prompt";
  const says = (ids: Int32Array) => ids.some((id) => !tokenizer.eosIds.includes(id));
  if (row.type !== "text" && encoded.completions.some((ids) => !says(ids))) return "empty_answer";
  if (!comparedTasks.has(task)) return undefined;
  const { completions } = encoded;
  const isRepeated = (ids: Int32Array, i: number) =>
    completions.findIndex((other) => sameIds(other, ids)) < i;
  return completions.some(isRepeated) ? "identical" : undefined;
}

function fitRow(
  encoded: EncodedRow,
  row: Row,
  settings: TokeniseSettings,
): (FittedIds & { klCompletion?: Int32Array }) | DropReason {
  const { tokenizer, task, maxLength = 1024, overLength = "drop" } = settings;
  const { hashed: _hashed, klCompletion, ...ids } = encoded;
  if (task === "sft") return fitDemonstration({ ids, maxLength });
  if (task === "stepwise") return fitSteps({ ids, maxLength });
  if (task === "prompt") {
    if (ids.prompt.length <= maxLength) return { ...ids, truncated: false };
    const cut = overLength === "drop" ? undefined : cutPrompt({ row, tokenizer, maxLength });
    return cut === undefined ? "prompt_too_long" : { prompt: cut.ids, completions: [], truncated: true };
  }
  // An answer that is scored as a whole must not be cut.
  const whole = task === "ranking" || task === "rating" || task === "reward";
  const rules = {
    maxLength,
    overLength: whole ? ("drop" as const) : overLength,
    start: startLength(ids.prompt, tokenizer),
    compared: task === "preference",
  };
  if (klCompletion === undefined) return fitAnswers({ ids, ...rules });
  const all = { prompt: ids.prompt, completions: [...ids.completions, klCompletion] };
  const fitted = fitAnswers({ ids: all, ...rules });
  if (typeof fitted === "string") return fitted;
  const [completion = klCompletion, other = klCompletion] = fitted.completions;
  return { ...fitted, completions: [completion], klCompletion: other };
}

/** Ids at a prompt's start that stay when it is cut: what the tokenizer puts there, or the BOS that a template wrote. */
function startLength(prompt: Int32Array, { startIds, bosId }: Tokenizer): number {
  if (startIds.length > 0 && startIds.every((id, i) => prompt[i] === id)) return startIds.length;
  return bosId !== undefined && prompt[0] === bosId ? 1 : 0;
}

function checkVocabulary(encoded: EncodedRow, row: Row, size: number | undefined): void {
  if (size === undefined) return;
  const { klCompletion } = encoded;
  const { file, line } = row.place;
  for (const ids of [
    encoded.prompt,
    ...encoded.completions,
    ...(klCompletion === undefined ? [] : [klCompletion]),
  ]) {
    const wrong = ids.find((id) => id >= size);
    if (wrong === undefined) continue;
    const expected = `Expected token ids below the model's vocabulary of ${size}`;
    const details = { file, line, id: wrong, vocabularySize: size };
    if (brings(row, wrong)) {
      const text = `${expected} but the row has ${wrong} (${file}:${line}). Correct the row, or pass over it with --skip-bad-rows.`;
      throw fail("ATTUNE_DATA", text, { details });
    }
    const text = `${expected} but the tokenizer made ${wrong} (${file}:${line}). Use the tokenizer this model was trained with.`;
    throw fail("ATTUNE_TOKENIZER", text, { details });
  }
}

/** Whether the row came with this id, rather than with a text. */
function brings(row: Row, id: number): boolean {
  const contents: readonly unknown[] = Object.values(row).flat();
  return contents.some((content) => content instanceof Int32Array && content.includes(id));
}

/** An error that names no place gets the row's. */
function withPlace(error: unknown, place: RowPlace): unknown {
  if (!(error instanceof AttuneError) || error.details?.line !== undefined) return error;
  return fail(error.code, `${place.file}:${place.line}: ${error.message}`, {
    cause: error,
    details: { ...error.details, ...place },
  });
}

function hashIds(parts: readonly Int32Array[]): string {
  const hash = createHash("sha256");
  for (const ids of parts) hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  return hash.digest("hex");
}

function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
