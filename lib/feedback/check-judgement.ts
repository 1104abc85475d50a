// Whether what somebody says of an item is an answer to what the item asks. Pure; must not know the store.

import { fail } from "../errors/index.js";
import type { AnswerContent, Ask, JudgementKind, JudgementValue } from "./judgement.js";
import { contentTypeOf, isText } from "./media/answer-content.js";

export interface AskedItem {
  readonly asks: readonly Ask[];
  /** As shown. */
  readonly answers: readonly AnswerContent[];
  /** Not all that is asked need be answered. Default false. */
  readonly partial?: boolean;
}

/** @throws ATTUNE_JUDGEMENT naming the field */
export function checkJudgement(values: readonly JudgementValue[], item: AskedItem): void {
  const problem = problemOf(values, item);
  if (problem !== undefined)
    throw fail("ATTUNE_JUDGEMENT", `Expected ${problem.text}.`, { details: { field: problem.field } });
}

interface Problem {
  readonly field: string;
  readonly text: string;
}

function problemOf(values: readonly JudgementValue[], item: AskedItem): Problem | undefined {
  if (values.length === 0) return { field: "values", text: "at least one judgement but received none" };
  for (const [number, value] of values.entries()) {
    const found = problemOfValue(value, item);
    if (found !== undefined) return { field: `values[${number}].${found.field}`, text: found.text };
  }
  return (item.partial === true ? undefined : missing(values, item)) ?? repeated(values);
}

function problemOfValue(value: JudgementValue, item: AskedItem): Problem | undefined {
  const asked = item.asks.filter(({ kind }) => kind === value.kind);
  const count = item.answers.length;
  // Whoever has something to say may say it.
  if (asked.length === 0 && value.kind !== "comment") {
    const kinds = [...new Set(item.asks.map(({ kind }) => kind))].join(", ");
    return { field: "kind", text: `one of ${kinds} but received ${value.kind}` };
  }
  if ("answer" in value && value.answer !== undefined && value.answer >= count)
    return { field: "answer", text: `an answer from 0 to ${count - 1} but received ${value.answer}` };
  const other = item.answers.map(contentTypeOf).find((type) => type !== "text");
  if (isOfText(value.kind) && other !== undefined)
    return { field: "kind", text: `${value.kind} of answers that are text but received ${other}` };
  switch (value.kind) {
    case "ranking":
      return problemOfRanking(value.tiers, asked, count);
    case "rating":
      return problemOfRating(value, asked);
    case "span":
      return problemOfSpan(value, asked, item.answers[value.answer]);
    case "pair":
      return problemOfPair(value, item.answers);
    case "edit":
      return value.text.trim() === ""
        ? { field: "text", text: "the corrected text but received none" }
        : undefined;
    default:
      return undefined;
  }
}

/** Clips may show different things; of texts and images somebody can always say that neither is better. */
function problemOfPair({ choice }: JudgementValue & { kind: "pair" }, answers: readonly AnswerContent[]) {
  const field = "choice";
  if (answers.length !== 2) return { field, text: `two answers but the item has ${answers.length}` };
  const type = contentTypeOf(answers[0] ?? "");
  if (choice !== "cannot_compare" || type === "clip") return undefined;
  return { field, text: `a choice between answers of ${type} but received ${choice}, which is for clips` };
}

/** What is written or marked in an answer needs text. */
export function isOfText(kind: JudgementKind): boolean {
  return kind === "edit" || kind === "span";
}

function problemOfRanking(tiers: readonly (readonly number[])[], asked: readonly Ask[], count: number) {
  const placed = tiers.flat();
  const field = "tiers";
  const unknown = placed.find((place) => place >= count);
  if (unknown !== undefined) return { field, text: `answers from 0 to ${count - 1} but received ${unknown}` };
  if (new Set(placed).size < placed.length) return { field, text: "every answer once but one came twice" };
  const [ranking] = asked;
  const least = (ranking?.kind === "ranking" ? ranking.top : undefined) ?? count;
  if (placed.length < Math.min(least, count))
    return { field, text: `places for ${Math.min(least, count)} answers but received ${placed.length}` };
  return undefined;
}

function problemOfRating({ axis, value }: JudgementValue & { kind: "rating" }, asked: readonly Ask[]) {
  const scale = asked.find((one) => one.kind === "rating" && one.axis === axis);
  if (scale?.kind !== "rating") {
    const axes = asked.flatMap((one) => (one.kind === "rating" ? [one.axis] : [])).join(", ");
    return { field: "axis", text: `one of ${axes} but received ${axis}` };
  }
  const steps = (value - scale.low) / scale.step;
  const onScale = value >= scale.low && value <= scale.high && Math.abs(steps - Math.round(steps)) < 1e-9;
  if (onScale) return undefined;
  return {
    field: "value",
    text: `${scale.low} to ${scale.high} in steps of ${scale.step} but received ${value}`,
  };
}

function problemOfSpan(
  { start, end, tag }: JudgementValue & { kind: "span" },
  asked: readonly Ask[],
  answer: AnswerContent | undefined,
) {
  const tags = asked.flatMap((one) => (one.kind === "span" ? one.tags : []));
  if (!tags.includes(tag)) return { field: "tag", text: `one of ${tags.join(", ")} but received ${tag}` };
  const length = [...textOf(answer ?? "")].length;
  if (start < end && end <= length) return undefined;
  return { field: "end", text: `a span inside 0 to ${length} but received ${start} to ${end}` };
}

/** A conversation's last message, or the text; of images and clips none. */
export function textOf(content: AnswerContent): string {
  if (!isText(content)) return "";
  return typeof content === "string" ? content : (content.at(-1)?.content ?? "");
}

/** What is asked and not optional must be there. */
function missing(values: readonly JudgementValue[], { asks, answers }: AskedItem): Problem | undefined {
  for (const one of asks) {
    if ((one.kind === "edit" || one.kind === "comment") && !one.required) continue;
    if (one.kind === "span") continue;
    const given = values.filter(
      (value) =>
        value.kind === one.kind && (one.kind !== "rating" || (value as { axis: string }).axis === one.axis),
    );
    const wanted = one.kind === "rating" || one.kind === "thumb" ? answers.length : 1;
    if (given.length >= wanted) continue;
    const name = one.kind === "rating" ? `rating of ${one.axis}` : one.kind;
    const each = wanted > 1 ? ` for each of ${wanted} answers` : "";
    return { field: "values", text: `a ${name}${each} but received ${given.length}` };
  }
  return undefined;
}

/** One answer to one question: two would contradict each other. */
function repeated(values: readonly JudgementValue[]): Problem | undefined {
  const seen = new Set<string>();
  for (const [number, value] of values.entries()) {
    if (value.kind === "comment" || value.kind === "span") continue;
    const key = [value.kind, "answer" in value ? value.answer : "", "axis" in value ? value.axis : ""].join(
      " ",
    );
    if (seen.has(key)) return { field: `values[${number}]`, text: `one ${value.kind} but received two` };
    seen.add(key);
  }
  return undefined;
}
