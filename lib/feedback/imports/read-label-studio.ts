// Label Studio's tasks: annotations of people, those that are the truth as hidden checks, and predictions as programs'. Pure.

import type { RowColumns } from "../../data/index.js";
import { textOf } from "../check-judgement.js";
import type { JudgementValue } from "../judgement.js";
import type { FoundJudgement, FoundRow, ReaderOptions, ReadRow } from "./found-row.js";
import { mergedAsks, valuesOf } from "./gathered-answers.js";
import { type MappedFields, mappedFields } from "./mapped-fields.js";
import { mappedValue, type SaidValue } from "./mapped-values.js";
import { nestedColumns } from "./nested-columns.js";

export const readLabelStudio: ReadRow = (row, options): FoundRow => {
  const fields = mappedFields(nestedColumns(row, "data"), options.mapping);
  const annotations = listOf(row, "annotations").map((one) => annotationOf(one, fields, options));
  const predictions = listOf(row, "predictions").map((one) => predictionOf(one, fields, options));
  const all = [...annotations, ...predictions];
  const asks = mergedAsks(all.flatMap(({ said }) => said));
  const gold = annotations.find((one) => one.gold);
  const id = row.name("id");
  return {
    prompt: fields.prompt,
    answers: fields.answers,
    ...(asks.length === 0 ? {} : { asks }),
    judgements: all.flatMap(({ judgement }) => (judgement === undefined ? [] : [judgement])),
    ...(gold === undefined || gold.said.length === 0 ? {} : { gold: valuesOf(gold.said) }),
    passed: all.flatMap(({ passed }) => (passed === undefined ? [] : [passed])),
    unused: all.flatMap(({ unused }) => unused),
    ...(id === undefined ? {} : { metadata: { id } }),
  };
};

interface Taken {
  readonly said: readonly SaidValue[];
  readonly judgement?: FoundJudgement;
  readonly passed?: string;
  readonly unused: readonly string[];
  readonly gold: boolean;
}

function listOf(row: RowColumns, column: string): readonly RowColumns[] {
  return (row.objects(column) ?? []).map((_, i) => nestedColumns(row, column, i));
}

function annotationOf(annotation: RowColumns, fields: MappedFields, options: ReaderOptions): Taken {
  if (annotation.columns.was_cancelled === true)
    return { said: [], passed: "cancelled annotation", unused: [], gold: false };
  const { said, unused } = resultsOf(annotation, fields, options);
  const gold = annotation.columns.ground_truth === true;
  if (gold || said.length === 0) return { said, unused, gold };
  const seconds = annotation.has("lead_time") ? annotation.number("lead_time", { min: 0 }) : 0;
  const time = Date.parse(annotation.name("created_at") ?? "");
  const judgement: FoundJudgement = {
    by: "people",
    who: whoOf(annotation.columns.completed_by),
    key: annotation.name("id"),
    values: valuesOf(said),
    activeMs: Math.round(seconds * 1000),
    judgedAt: Number.isFinite(time) && time >= 0 ? time : undefined,
  };
  return { said, unused, gold, judgement };
}

function predictionOf(prediction: RowColumns, fields: MappedFields, options: ReaderOptions): Taken {
  const { said, unused } = resultsOf(prediction, fields, options);
  if (said.length === 0) return { said, unused, gold: false };
  const values = valuesOf(said);
  return {
    said,
    unused,
    gold: false,
    judgement: { by: "ai", who: prediction.name("model_version"), values },
  };
}

/** A number, a name, or an object that has them. */
function whoOf(completedBy: unknown): string | undefined {
  if (typeof completedBy === "number" || typeof completedBy === "string") return String(completedBy);
  if (typeof completedBy !== "object" || completedBy === null) return undefined;
  const { id, email } = completedBy as { id?: unknown; email?: unknown };
  const name = id ?? email;
  return name === undefined || name === null ? undefined : String(name);
}

/** A result as a value that mapped-values.ts knows. */
interface Result {
  readonly question: string;
  /** What of the page it is about. */
  readonly about: string;
  readonly value: unknown;
  /** Free text: a comment, unless somebody says that it is an edit. */
  readonly text?: boolean;
}

function resultsOf(held: RowColumns, { names, answers }: MappedFields, options: ReaderOptions) {
  const said: SaidValue[] = [];
  const unused: string[] = [];
  for (const { question, about, value, text = false } of resultsIn(held)) {
    const uses = options.mapping.questions;
    const meant = text && uses[question] === undefined ? { ...uses, [question]: "comment" } : uses;
    const reading = { ...options, mapping: { ...options.mapping, questions: meant } };
    const one = mappedValue(held, { question, about, value, names }, reading);
    if (one !== undefined)
      said.push({ ...one, values: one.values.map((said) => inCodePoints(said, answers)) });
    else if (uses[question] !== "ignore") unused.push(question);
  }
  return { said, unused };
}

function resultsIn(held: RowColumns): readonly Result[] {
  const found: Result[] = [];
  const spans = new Map<string, Result & { value: unknown[] }>();
  for (const result of listOf(held, "result")) {
    const [question, about] = [result.name("from_name") ?? "", result.name("to_name") ?? ""];
    const value = result.object("value") ?? {};
    if (Array.isArray(value.labels)) {
      const own = spans.get(`${question} ${about}`) ?? { question, about, value: [] };
      spans.set(`${question} ${about}`, own);
      for (const label of value.labels) own.value.push({ start: value.start, end: value.end, label });
    } else if (Array.isArray(value.text))
      found.push({ question, about, value: value.text.map(String).join("\n"), text: true });
    else found.push({ question, about, value: plainValue(value) });
  }
  return [...found, ...spans.values()];
}

function plainValue(value: Readonly<Record<string, unknown>>): unknown {
  if (value.selected !== undefined) return value.selected;
  if (value.rating !== undefined) return value.rating;
  if (value.number !== undefined) return value.number;
  if (Array.isArray(value.choices)) return value.choices.length === 1 ? value.choices[0] : value.choices;
  const { ranker } = value;
  if (Array.isArray(ranker) || typeof ranker !== "object" || ranker === null) return ranker;
  // One list of all is an order; several lists are heaps that nobody has named.
  const lists = Object.values(ranker).filter((list) => Array.isArray(list) && list.length > 0);
  return lists.length === 1 ? lists[0] : undefined;
}

/** Browsers count UTF-16 units. */
function inCodePoints(value: JudgementValue, answers: MappedFields["answers"]): JudgementValue {
  if (value.kind !== "span") return value;
  const text = textOf(answers[value.answer]?.content ?? "");
  const [start, end] = [value.start, value.end].map((at) => [...text.slice(0, at)].length);
  return { ...value, start: start ?? 0, end: end ?? 0 };
}
