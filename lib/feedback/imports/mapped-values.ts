// What the value of a question says of the answers: as somebody says it is meant, or by its form. Pure.

import type { RowColumns } from "../../data/index.js";
import { type Ask, type JudgementValue, type PairChoice, pairChoices } from "../judgement.js";
import type { ReaderOptions } from "./found-row.js";
import { ratingAsk } from "./rating-ask.js";

export interface QuestionValue {
  readonly question: string;
  readonly value: unknown;
  /** What it was asked of, where the file tells. */
  readonly about?: string;
  /** By place: how values name the answers. */
  readonly names: readonly string[];
}

/** What was said and the question behind it. */
export interface SaidValue {
  readonly ask: Ask;
  readonly values: readonly JudgementValue[];
}

/** Undefined: no kind of judgement. @throws ATTUNE_DATA_COLUMN for a value that is not what the mapping says */
export function mappedValue(
  row: RowColumns,
  asked: QuestionValue,
  options: ReaderOptions,
): SaidValue | undefined {
  const use = options.mapping.questions[asked.question];
  if (use === undefined) return guessed(row, asked, options);
  const [kind = "", at] = use.split(":");
  if (kind === "ignore") return undefined;
  const answer = at === undefined ? undefined : Number(at);
  if (answer !== undefined && answer >= asked.names.length)
    throw wrong(row, asked, `one of ${asked.names.length} answers for "${use}"`);
  const said = ofKind(row, { ...asked, kind, answer: answer ?? answerNamed(asked) }, options);
  if (said === undefined) throw wrong(row, asked, `a value that is a ${kind}`);
  return said;
}

function wrong(row: RowColumns, { question, value }: QuestionValue, expected: string) {
  const found = JSON.stringify(value)?.slice(0, 40) ?? "nothing";
  return row.bad("ATTUNE_DATA_COLUMN", `${expected} in question "${question}"`, found, question);
}

/** By the form of the value: a text that names no answer is left alone, as it may be a label of anything. */
function guessed(row: RowColumns, asked: QuestionValue, options: ReaderOptions): SaidValue | undefined {
  const answer = answerNamed(asked);
  for (const kind of ["ranking", "pair", "span", "rating"]) {
    const said = ofKind(row, { ...asked, kind, answer }, options);
    if (said !== undefined) return said;
  }
  return typeof asked.value === "boolean"
    ? ofKind(row, { ...asked, kind: "thumb", answer }, options)
    : undefined;
}

/** The only answer, or the one whose name is in the question's: "rating_response2". */
function answerNamed({ question, about, names }: QuestionValue): number | undefined {
  if (names.length === 1) return 0;
  const exact = about === undefined ? -1 : names.indexOf(about);
  if (exact >= 0) return exact;
  const found = names.flatMap((name, place) => (question.includes(name) ? [place] : []));
  return found.length === 1 ? found[0] : undefined;
}

interface OfKind extends QuestionValue {
  readonly kind: string;
  readonly answer: number | undefined;
}

function ofKind(row: RowColumns, asked: OfKind, options: ReaderOptions): SaidValue | undefined {
  const { kind, question, value, names, answer } = asked;
  if (kind === "pair") return pairOf(value, names);
  if (kind === "ranking") return rankingOf(value, names);
  if (kind === "comment") {
    if (typeof value !== "string" || value.trim() === "") return undefined;
    const of = answer === undefined ? {} : { answer };
    return { ask: { kind, required: false }, values: [{ kind, text: value, ...of }] };
  }
  if (answer === undefined) return undefined;
  switch (kind) {
    case "rating":
      if (typeof value !== "number") return undefined;
      return {
        ask: ratingAsk(row, { axis: question, value, scale: options.ratingScale }),
        values: [{ kind, answer, axis: question, value }],
      };
    case "thumb": {
      const up = thumbOf(value);
      return up === undefined ? undefined : { ask: { kind }, values: [{ kind, answer, up }] };
    }
    case "edit":
      if (typeof value !== "string" || value.trim() === "") return undefined;
      return { ask: { kind, required: false }, values: [{ kind, answer, text: value }] };
    default:
      return spansOf(value, answer);
  }
}

function pairOf(value: unknown, names: readonly string[]): SaidValue | undefined {
  if (typeof value !== "string" || names.length !== 2) return undefined;
  const place = names.indexOf(value);
  const choice = place >= 0 ? (["left", "right"] as const)[place] : known(value);
  if (choice === undefined) return undefined;
  return { ask: { kind: "pair", strength: false }, values: [{ kind: "pair", choice }] };
}

function known(value: string): PairChoice | undefined {
  return pairChoices.find((choice) => choice === value);
}

/** Argilla: [{ value, rank }]; Label Studio: names, the best first. */
function rankingOf(value: unknown, names: readonly string[]): SaidValue | undefined {
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const placed = value.map((one: unknown, i) =>
    typeof one === "object" && one !== null
      ? { name: String((one as { value?: unknown }).value), rank: Number((one as { rank?: unknown }).rank) }
      : { name: String(one), rank: i },
  );
  const places = placed.map(({ name, rank }) => ({ place: names.indexOf(name), rank }));
  if (places.some(({ place, rank }) => place < 0 || !Number.isFinite(rank))) return undefined;
  const ranks = [...new Set(places.map(({ rank }) => rank))].sort((a, b) => a - b);
  const tiers = ranks.map((rank) => places.filter((one) => one.rank === rank).map(({ place }) => place));
  return { ask: { kind: "ranking", top: places.length }, values: [{ kind: "ranking", tiers }] };
}

function thumbOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  const text = String(value).toLowerCase();
  if (["up", "yes", "good", "true", "1"].includes(text)) return true;
  return ["down", "no", "bad", "false", "0"].includes(text) ? false : undefined;
}

/** [{ start, end, label }], in code points. */
function spansOf(value: unknown, answer: number): SaidValue | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const spans = value.map((one: { start?: unknown; end?: unknown; label?: unknown } | null) => ({
    start: Number(one?.start),
    end: Number(one?.end),
    tag: String(one?.label ?? ""),
  }));
  const sound = spans.every(
    ({ start, end, tag }) => Number.isInteger(start) && Number.isInteger(end) && start < end && tag !== "",
  );
  if (!sound) return undefined;
  const tags = [...new Set(spans.map(({ tag }) => tag))];
  return {
    ask: { kind: "span", tags },
    values: spans.map((span) => ({ kind: "span", answer, ...span })),
  };
}
