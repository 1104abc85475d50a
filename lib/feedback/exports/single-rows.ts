// Rows of one value each: answers that are good or bad, rankings, ratings, corrected texts, critiques. Pure.

import type { JudgementValue, TextAnswer } from "../judgement.js";
import type { ReadJudgement } from "../read-judgements.js";
import type { ReadExportOptions } from "./export-options.js";
import { notesOf } from "./notes.js";
import { editedAnswer } from "./pair-rows.js";
import {
  completionOf,
  type ExportedRow,
  type Making,
  type RowColumns,
  rowOf,
  sameAnswer,
} from "./row-parts.js";

export function* singleRows(making: Making): Generator<ExportedRow> {
  for (const judgement of making.judgements)
    for (const value of judgement.values)
      for (const row of rowsOfValue({ making, judgement, value })) yield* rowOf(making, [judgement], row);
}

interface ValueOf {
  readonly making: Making;
  readonly judgement: ReadJudgement;
  readonly value: JudgementValue;
}

interface SingleRow {
  readonly columns: RowColumns;
  readonly answers: readonly TextAnswer[];
}

/** What one value gives of the wanted kind of rows; mostly nothing. */
function rowsOfValue(of: ValueOf): readonly SingleRow[] {
  const { value, judgement } = of;
  switch (of.making.options.kind) {
    case "unpaired":
      return unpairedRows(of);
    case "rating":
      if (value.kind !== "rating" || !isOfAxis(of.making.options, value.axis)) return [];
      return about(of, value.answer, { rating: value.value, axis: value.axis });
    case "ranking":
      return value.kind === "ranking" ? rankingRows(of, value.tiers) : [];
    case "prompt-completion":
      return value.kind === "edit" ? demonstrations(of, value) : [];
    case "critique":
      if (value.kind !== "comment") return [];
      return critiques(of, value.answer ?? (judgement.shown.length === 1 ? 0 : undefined), value.text);
    default:
      return [];
  }
}

function isOfAxis({ axis }: ReadExportOptions, own: string): boolean {
  return axis === undefined || axis === own;
}

/** One answer, as shown, and what is said of it. */
function about({ making, judgement }: ValueOf, place: number, columns: RowColumns): readonly SingleRow[] {
  const own = judgement.shown[place] ?? -1;
  const answer = making.item.answers[own];
  if (answer === undefined) return [];
  const notes = notesOf([judgement], (other) => (other === own ? "completion" : undefined));
  return [{ columns: { completion: completionOf(answer), ...columns, ...notes }, answers: [answer] }];
}

function unpairedRows(of: ValueOf): readonly SingleRow[] {
  const { value, making } = of;
  if (value.kind === "thumb") return about(of, value.answer, { label: value.up });
  if (value.kind === "pair" && (value.choice === "both_good" || value.choice === "both_bad"))
    return [0, 1].flatMap((place) => about(of, place, { label: value.choice === "both_good" }));
  const { ratingHigh, ratingLow } = making.options;
  if (value.kind !== "rating" || ratingHigh === undefined || ratingLow === undefined) return [];
  if (!isOfAxis(making.options, value.axis)) return [];
  if (value.value >= ratingHigh) return about(of, value.answer, { label: true });
  return value.value <= ratingLow ? about(of, value.answer, { label: false }) : [];
}

function rankingRows(
  { making, judgement }: ValueOf,
  tiers: readonly (readonly number[])[],
): readonly SingleRow[] {
  const answers = judgement.shown.map((place) => making.item.answers[place] ?? { content: "" });
  // An answer that stands there twice would compete with itself.
  if (answers.some((answer, i) => answers.slice(i + 1).some((other) => sameAnswer(answer, other)))) return [];
  const ranks: (number | null)[] = answers.map(() => null);
  for (const [tier, places] of tiers.entries()) for (const place of places) ranks[place] = tier + 1;
  const columns = {
    ...{ completions: answers.map((answer) => completionOf(answer)), ranks },
    ...notesOf([judgement], (answer) => judgement.shown.indexOf(answer)),
  };
  return [{ columns, answers }];
}

/** What a person wrote is to be learnt, whoever wrote the answer that was there. */
function demonstrations(
  { making, judgement }: ValueOf,
  value: JudgementValue & { kind: "edit" },
): readonly SingleRow[] {
  const answer = making.item.answers[judgement.shown[value.answer] ?? -1];
  if (answer === undefined) return [];
  return [{ columns: { completion: editedAnswer(answer, value.text) }, answers: [] }];
}

/** Of one answer, or of every one where it is of all. */
function critiques(of: ValueOf, place: number | undefined, text: string): readonly SingleRow[] {
  const { shown } = of.judgement;
  if (place !== undefined) return about(of, place, { critique: text });
  return shown.flatMap((_, each) => about(of, each, { critique: text }));
}
