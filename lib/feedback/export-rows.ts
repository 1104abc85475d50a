// Turns judgements into the rows that trainers read. Every row names the judgements behind it, and people by pseudonyms.
// Gold and repeats give none. Must not write.

import { createHmac } from "node:crypto";
import { fail } from "../errors/index.js";
import { textOf } from "./check-judgement.js";
import type { FeedbackAnswer, FeedbackContent, JudgementValue } from "./judgement.js";
import { type PeopleFacts, peopleFacts } from "./people.js";
import { type ReadItem, type ReadJudgement, readItems, readJudgements } from "./read-judgements.js";
import type { Database } from "./store/tables.js";

export const exportKinds = [
  "preference",
  "reward",
  "unpaired",
  "ranking",
  "rating",
  "prompt-completion",
  "critique",
] as const;
export type ExportKind = (typeof exportKinds)[number];

export const consensusModes = ["soft", "majority", "each"] as const;
export type ConsensusMode = (typeof consensusModes)[number];

export interface ExportOptions {
  /** Also what annotators of the group "simulated" said. Default false. */
  readonly simulated?: boolean;
  readonly kind: ExportKind;
  readonly split?: "train" | "valid" | "test";
  /** Judgements behind this event. */
  readonly since?: number;
  /** Answers of this policy alone. */
  readonly policy?: string;
  /**
   * Of pairs that several judged. "soft": one row, whose label is what they say together; "majority": one row for what most
   * say; "each": a row for each judgement, weighted by how far its annotator is to be trusted. Default "soft".
   */
  readonly consensus?: ConsensusMode;
  /** Of a pair's strength 0 to 3. Default all 0. */
  readonly margins?: readonly [number, number, number, number];
}

type Chat = readonly { readonly role: string; readonly content: string }[];

/** Columns as docs/data.md has them, and where they come from. */
export interface ExportedRow {
  readonly [column: string]: unknown;
  readonly source: readonly string[];
  readonly annotators: readonly string[];
  readonly split: "train" | "valid" | "test";
}

export interface ExportRows extends ExportOptions {
  readonly reading: Database;
  readonly project: string;
}

export async function* exportRows(options: ExportRows): AsyncGenerator<ExportedRow> {
  const { reading, project, kind, since, split, policy, simulated = false } = options;
  const pseudonym = await pseudonymsOf(reading, project);
  const makeRows = await rowMaker(options, pseudonym);
  const told = new Set<string>();
  for await (const chunk of readJudgements(reading, {
    project,
    simulated,
    ...(since === undefined ? {} : { since }),
  })) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      const item = items.get(judgement.item);
      if (item === undefined || (split !== undefined && item.split !== split)) continue;
      if (policy !== undefined && !item.answers.some((answer) => answer.policy === policy)) continue;
      const together = isTogether(kind, options.consensus);
      if (together && told.has(item.item)) continue;
      const all = together ? await judgementsOf(options, item.item) : [judgement];
      if (together) told.add(item.item);
      yield* makeRows(all, item);
    }
  }
}

/** Pairs of one item become one row, unless each is wanted. */
function isTogether(kind: ExportKind, consensus: ConsensusMode = "soft"): boolean {
  return (kind === "preference" || kind === "reward") && consensus !== "each";
}

async function judgementsOf(
  { reading, project, simulated = false }: ExportRows,
  item: string,
): Promise<readonly ReadJudgement[]> {
  const found: ReadJudgement[] = [];
  for await (const chunk of readJudgements(reading, { project, item, simulated })) found.push(...chunk);
  return found;
}

async function pseudonymsOf(reading: Database, project: string): Promise<(annotator: string) => string> {
  const row = await reading
    .selectFrom("secrets")
    .select("value")
    .where("project", "=", project)
    .where("name", "=", "pseudonyms")
    .executeTakeFirst();
  if (row === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected a project of this store but there is no "${project}".`);
  const key = Buffer.from(row.value, "hex");
  return (annotator) => `p-${createHmac("sha256", key).update(annotator).digest("hex").slice(0, 12)}`;
}

type MakeRows = (judgements: readonly ReadJudgement[], item: ReadItem) => Generator<ExportedRow>;

async function rowMaker(options: ExportRows, pseudonym: (annotator: string) => string): Promise<MakeRows> {
  const { kind, reading, project } = options;
  const facts =
    kind === "preference" || kind === "reward"
      ? await peopleFacts(reading, project, { simulated: options.simulated ?? false })
      : undefined;
  return function* (judgements, item) {
    const origin = (all: readonly ReadJudgement[]): Pick<ExportedRow, "source" | "annotators" | "split"> => ({
      source: all.map(({ judgement }) => judgement),
      annotators: [...new Set(all.map(({ annotator }) => pseudonym(annotator)))],
      split: item.split,
    });
    const making = { judgements, item, options, origin };
    if (facts !== undefined) {
      yield* pairRows({ ...making, facts });
      yield* editRows(making);
    } else yield* otherRows(kind, making);
  };
}

interface Making {
  readonly judgements: readonly ReadJudgement[];
  readonly item: ReadItem;
  readonly options: ExportRows;
  readonly origin: (all: readonly ReadJudgement[]) => Pick<ExportedRow, "source" | "annotators" | "split">;
}

/** One row of what all say, or of each; ties are rows of a reward model alone. */
function* pairRows({
  judgements,
  item,
  options,
  origin,
  facts,
}: Making & { facts: PeopleFacts }): Generator<ExportedRow> {
  const { consensus = "soft", margins = [0, 0, 0, 0], kind } = options;
  const pairs = judgements.flatMap((judgement) => {
    const value = judgement.values.find((one) => one.kind === "pair");
    return value?.kind === "pair" && value.choice !== "cannot_compare" ? [{ judgement, value }] : [];
  });
  const [first, second] = item.answers;
  if (pairs.length === 0 || first === undefined || second === undefined) return;
  const said = pairs.map(({ judgement, value }) => ({
    judgement,
    /** P(the item's first answer is better), as this one says. */
    label: value.choice === "left" || value.choice === "right" ? labelOf(judgement, value.choice) : 0.5,
    strength: value.strength ?? 0,
  }));
  const label =
    consensus === "soft"
      ? (facts.consensus.labels.get(facts.units.get(item.item) ?? -1) ?? 0.5)
      : majorityOf(said.map((one) => one.label));
  const weight = consensus === "each" ? weightOf(facts, said[0]?.judgement) : 1;
  if (label === 0.5 && kind === "preference") return;
  const chosen = label >= 0.5 ? first : second;
  const rejected = label >= 0.5 ? second : first;
  const strengths = said.map(({ strength }) => margins[strength as 0 | 1 | 2 | 3] ?? 0);
  yield {
    prompt: promptOf(item),
    chosen: completionOf(chosen),
    rejected: completionOf(rejected),
    label: Math.max(label, 1 - label),
    margin: strengths.reduce((sum, margin) => sum + margin, 0) / strengths.length,
    ...(weight === 1 ? {} : { weight }),
    ...policyOf([chosen, rejected]),
    ...origin(pairs.map(({ judgement }) => judgement)),
  };
}

function labelOf({ shown }: ReadJudgement, choice: "left" | "right"): number {
  return (choice === "left" ? shown[0] : shown[1]) === 0 ? 1 : 0;
}

function majorityOf(labels: readonly number[]): number {
  const lead = labels.reduce((sum, label) => sum + Math.sign(label - 0.5), 0);
  return lead > 0 ? 1 : lead < 0 ? 0 : 0.5;
}

/** 2 a - 1: nothing for a coin-flipper. */
function weightOf({ people }: PeopleFacts, judgement: ReadJudgement | undefined): number {
  const person = people.find(({ annotator }) => annotator === judgement?.annotator);
  return person?.reliability === undefined ? 1 : 2 * person.reliability - 1;
}

function* otherRows(kind: ExportKind, making: Making): Generator<ExportedRow> {
  for (const judgement of making.judgements)
    for (const value of judgement.values)
      for (const columns of columnsOf(kind, value, judgement, making.item))
        yield { prompt: promptOf(making.item), ...columns, ...making.origin([judgement]) };
}

/** What one value gives of a kind of rows; mostly nothing. */
function columnsOf(
  kind: ExportKind,
  value: JudgementValue,
  { shown }: ReadJudgement,
  { answers }: ReadItem,
): readonly Readonly<Record<string, unknown>>[] {
  const shownAnswer = (place: number) => answers[shown[place] ?? 0];
  const completion = (place: number) => completionOf(shownAnswer(place));
  const from = (place: number) => policyOf([shownAnswer(place)]);
  if (kind === "unpaired" && value.kind === "thumb")
    return [{ completion: completion(value.answer), label: value.up, ...from(value.answer) }];
  if (
    kind === "unpaired" &&
    value.kind === "pair" &&
    (value.choice === "both_good" || value.choice === "both_bad")
  )
    return [0, 1].map((place) => ({
      completion: completion(place),
      label: value.choice === "both_good",
      ...from(place),
    }));
  if (kind === "rating" && value.kind === "rating")
    return [
      { completion: completion(value.answer), rating: value.value, axis: value.axis, ...from(value.answer) },
    ];
  if (kind === "ranking" && value.kind === "ranking")
    return [
      { completions: shown.map((_, place) => completion(place)), ranks: ranksOf(value.tiers, shown.length) },
    ];
  if (kind === "prompt-completion" && value.kind === "edit")
    return [{ completion: [{ role: "assistant", content: value.text }] }];
  if (kind === "critique" && value.kind === "comment") {
    const place = value.answer ?? 0;
    return [{ completion: completion(place), critique: value.text, ...from(place) }];
  }
  return [];
}

/** 1 best; null where an answer has no place. */
function ranksOf(tiers: readonly (readonly number[])[], count: number): readonly (number | null)[] {
  const ranks: (number | null)[] = Array.from({ length: count }, () => null);
  for (const [tier, places] of tiers.entries()) for (const place of places) ranks[place] = tier + 1;
  return ranks;
}

function promptOf({ prompt }: ReadItem): Chat {
  return typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
}

function completionOf(answer: FeedbackAnswer | undefined): Chat {
  const content: FeedbackContent = answer?.content ?? "";
  return typeof content === "string" ? [{ role: "assistant", content }] : content;
}

function policyOf(answers: readonly (FeedbackAnswer | undefined)[]) {
  const policies = [
    ...new Set(answers.flatMap((answer) => (answer?.policy === undefined ? [] : [answer.policy]))),
  ];
  return policies.length === 0 ? {} : { policy: policies.length === 1 ? policies[0] : policies };
}

/** What was written instead is better than what was there. */
function* editRows({ judgements, item, origin }: Making): Generator<ExportedRow> {
  for (const judgement of judgements)
    for (const value of judgement.values) {
      if (value.kind !== "edit") continue;
      const answer = item.answers[judgement.shown[value.answer] ?? 0];
      if (answer === undefined || textOf(answer.content) === value.text) continue;
      yield {
        prompt: promptOf(item),
        chosen: [{ role: "assistant", content: value.text }],
        rejected: completionOf(answer),
        label: 1,
        margin: 0,
        ...policyOf([answer]),
        ...origin([judgement]),
      };
    }
}
