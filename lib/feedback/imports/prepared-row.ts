// A row that was read, as the store takes it: answers in an order that says nothing of who won, ids made of what was said, so
// that a file may be imported twice. Pure.

import { createHash } from "node:crypto";
import { RowColumns } from "../../data/index.js";
import { AttuneError } from "../../errors/index.js";
import { checkJudgement } from "../check-judgement.js";
import type { Ask, Item, JudgementValue, TextAnswer } from "../judgement.js";
import type { ImportedItem, ImportedJudgement } from "../operations/import.js";
import { problemOfAsks } from "../operations/items.js";
import type { FoundJudgement, FoundRow } from "./found-row.js";
import { formatNames, type ImportFormat } from "./import-options.js";
import { readItem } from "./read-items.js";

export interface Preparing {
  readonly row: RowColumns;
  readonly format: ImportFormat;
  /** Who judged, where the file does not say that it was a program. */
  readonly by: "people" | "ai";
  /** What the project asks of items that say nothing themselves. */
  readonly asks: readonly Ask[];
}

/** @throws ATTUNE_DATA, ATTUNE_DATA_COLUMN with the row's place */
export function preparedItem({ row, asks }: Pick<Preparing, "row" | "asks">): ImportedItem {
  const item = readItem(row);
  checkAsks(row, item.asks ?? asks, item.answers);
  const externalId = item.externalId ?? `items:${hashOf([item.prompt, item.answers])}`;
  return { item: { ...item, externalId }, judgements: [] };
}

/** @throws ATTUNE_DATA, ATTUNE_DATA_COLUMN with the row's place */
export function preparedRow(found: FoundRow, preparing: Preparing): ImportedItem {
  const { row, format } = preparing;
  const order = orderOf(found.answers);
  const answers = order.map((place) => found.answers[place] ?? { content: "" });
  const externalId = `import:${hashOf([found.prompt, answers])}`;
  const metadata = { from: format, ...found.metadata };
  const item = readItem(
    new RowColumns(
      { prompt: found.prompt, answers, ...(found.asks === undefined ? {} : { asks: found.asks }), metadata },
      row.place,
    ),
  );
  checkAsks(row, item.asks ?? preparing.asks, answers);
  const shown = found.answers.map((_, place) => order.indexOf(place));
  for (const { values } of found.judgements) checkSaid(values, found, row);
  const judging = { externalId, shown, preparing };
  return {
    item: { ...item, externalId, ...(found.split === undefined ? {} : { split: found.split }) },
    judgements: found.judgements.map((judgement) => judgementOf(judgement, judging)),
    ...(found.gold === undefined ? {} : { gold: reordered(found.gold, shown) }),
  };
}

function checkAsks(row: RowColumns, asks: readonly Ask[], answers: Item["answers"]): void {
  const problem = problemOfAsks(asks, answers);
  if (problem === undefined) return;
  const [expected = "", found = ""] = problem.split(" but received ");
  throw row.bad("ATTUNE_DATA", expected, found, "answers");
}

/** By a hash: the winner of a file whose winners stand first is not the first of the item. */
function orderOf(answers: readonly TextAnswer[]): readonly number[] {
  const keys = answers.map((answer) => hashOf(answer));
  return [...answers.keys()].sort((a, b) => ((keys[a] ?? "") < (keys[b] ?? "") ? -1 : 1));
}

function checkSaid(values: readonly JudgementValue[], { asks = [], answers }: FoundRow, row: RowColumns) {
  try {
    const shown = answers.map(({ content }) => content);
    checkJudgement(values, { asks, answers: shown, partial: true });
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    throw row.bad("ATTUNE_DATA", "a judgement of the row's answers", error.message.replace(/\.$/, ""));
  }
}

interface Judging {
  readonly externalId: string;
  readonly shown: readonly number[];
  readonly preparing: Preparing;
}

function judgementOf(
  { who, key, values, activeMs = 0, judgedAt, by: said }: FoundJudgement,
  { externalId, shown, preparing: { format, by: otherwise } }: Judging,
): ImportedJudgement {
  const by = said === "ai" ? said : otherwise;
  const annotator = by === "ai" ? `ai:${who ?? format}` : `${format}:${who ?? "unnamed"}`;
  const what = [externalId, annotator, key ?? "", reordered(values, shown)];
  return {
    judgement: `import-${hashOf(what)}`,
    annotator: annotator.slice(0, 200),
    name: `${who ?? (by === "ai" ? "a program" : "people without names")} (${formatNames[format]})`,
    ...{ by, values, shown, activeMs },
    ...(judgedAt === undefined ? {} : { judgedAt }),
  };
}

/** With positions in the item's own order. */
function reordered(values: readonly JudgementValue[], shown: readonly number[]): readonly JudgementValue[] {
  const at = (place: number) => shown[place] ?? place;
  return values.map((value) => {
    if (value.kind === "ranking")
      return { ...value, tiers: value.tiers.map((tier) => tier.map(at).sort((a, b) => a - b)) };
    if (value.kind === "pair") {
      const turned = shown[0] === 1 && { left: "right" as const, right: "left" as const };
      return value.choice === "left" || value.choice === "right"
        ? { ...value, choice: turned === false ? value.choice : turned[value.choice] }
        : value;
    }
    return value.answer === undefined ? value : { ...value, answer: at(value.answer) };
  });
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}
