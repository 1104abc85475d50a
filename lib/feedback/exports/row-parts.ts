// What rows of all kinds are made of: prompts and answers as conversations, and where a row comes from. Pure.

import type { FeedbackContent, TextAnswer } from "../judgement.js";
import type { PeopleFacts } from "../people.js";
import { isImported, type ReadItem, type ReadJudgement } from "../read-judgements.js";
import type { TextItem } from "../text-item.js";
import type { ReadExportOptions } from "./export-options.js";
import type { PolicyLags } from "./policy-lags.js";

export type Chat = readonly { readonly role: string; readonly content: string }[];

/** Columns as docs/data.md has them, and where they come from. */
export interface ExportedRow {
  readonly [column: string]: unknown;
  /** Whose rows are told again, all of them, when something is said of it or taken back. */
  readonly item: string;
  /** Ids of the judgements behind the row. */
  readonly source: readonly string[];
  /** Pseudonyms. */
  readonly annotators: readonly string[];
  readonly split: "train" | "valid" | "test";
}

/** One item and what was said of it, to make rows of. */
export interface OfItem {
  readonly judgements: readonly ReadJudgement[];
  readonly item: ReadItem;
  readonly options: ReadExportOptions;
  readonly pseudonym: (annotator: string) => string;
  readonly lags: PolicyLags;
  /** Of kinds that weigh people. */
  readonly facts?: PeopleFacts;
}

/** The answers are text. */
export interface Making extends OfItem {
  readonly item: TextItem;
}

export type RowColumns = Readonly<Record<string, unknown>>;

/** A row of these columns with its origin; none where an answer says nothing. */
export function* rowOf(
  making: Making,
  judgements: readonly ReadJudgement[],
  { columns, answers }: { readonly columns: RowColumns; readonly answers: readonly TextAnswer[] },
): Generator<ExportedRow> {
  const prompt = promptOf(making.item);
  if (!isPrompt(prompt) || answers.some((answer) => !isAnswer(completionOf(answer)))) return;
  yield* rowOfColumns(making, judgements, { columns: { prompt, ...columns }, answers });
}

/** The columns as they are, with their origin. */
export function* rowOfColumns(
  { item, pseudonym, lags, options }: OfItem,
  judgements: readonly ReadJudgement[],
  {
    columns,
    answers,
  }: { readonly columns: RowColumns; readonly answers: readonly Pick<TextAnswer, "policy">[] },
): Generator<ExportedRow> {
  const stale = answers.some(({ policy }) => policy !== undefined && lags.isStale(policy));
  if (stale && options.stale === "leave-out") return;
  yield {
    ...columns,
    ...policyOf(answers),
    ...(stale ? { stale } : {}),
    ...(judgements.some((one) => isImported(one)) ? { imported: true } : {}),
    ...(judgements.some(({ purpose }) => purpose === "ai") ? { ai: true } : {}),
    item: item.item,
    source: judgements.map(({ judgement }) => judgement),
    annotators: [...new Set(judgements.map(({ annotator }) => pseudonym(annotator)))],
    split: item.split,
  };
}

export function promptOf({ prompt }: Pick<ReadItem, "prompt">): Chat {
  return wholeCharacters(typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt);
}

export function completionOf({ content }: { readonly content: FeedbackContent }): Chat {
  return wholeCharacters(typeof content === "string" ? [{ role: "assistant", content }] : content);
}

/** Half of a character that stands alone cannot be written in UTF-8. */
function wholeCharacters(chat: Chat): Chat {
  return chat.map(({ role, content }) => ({ role, content: content.replace(/\p{Cs}/gu, "\ufffd") }));
}

function isPrompt(chat: Chat): boolean {
  return chat.some(({ content }) => content.trim() !== "");
}

/** From the assistant to the assistant, who says something in the end. */
function isAnswer(chat: Chat): boolean {
  const [first, last] = [chat[0], chat.at(-1)];
  return first?.role === "assistant" && last?.role === "assistant" && last.content !== "";
}

export function sameAnswer(a: TextAnswer, b: TextAnswer): boolean {
  return JSON.stringify(completionOf(a)) === JSON.stringify(completionOf(b));
}

function policyOf(answers: readonly Pick<TextAnswer, "policy">[]) {
  const policies = [...new Set(answers.flatMap(({ policy }) => (policy === undefined ? [] : [policy])))];
  return policies.length === 0 ? {} : { policy: policies.length === 1 ? policies[0] : policies };
}
