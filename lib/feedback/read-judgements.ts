// Reads judgements back, each with its item and how it was shown, in the order in which they came. What is hidden (gold,
// repeats) or withdrawn is left out unless asked for. Must not write.

import type { Selectable } from "kysely";
import type { Ask, FeedbackAnswer, FeedbackContent, JudgementValue } from "./judgement.js";
import { SIMULATED } from "./simulated-rater.js";
import type { Purpose } from "./states.js";
import type { Database, ItemsTable } from "./store/tables.js";

/** Whether it was read from a file: then nobody knows how likely it was to be asked, or what stood on which side. */
export function isImported({ purpose }: Pick<ReadJudgement, "purpose">): boolean {
  return purpose === "import" || purpose === "ai";
}

/** A judgement, and how it was shown and drawn. */
export interface ReadJudgement {
  readonly judgement: string;
  readonly seq: number;
  readonly item: string;
  readonly annotator: string;
  readonly purpose: Purpose;
  /** False: it came too late for a slot. */
  readonly counts: boolean;
  readonly values: readonly JudgementValue[];
  /** The answers in the order in which they were shown. */
  readonly shown: readonly number[];
  /** Drawn uniformly, not by priority. */
  readonly random: boolean;
  readonly propensity: number;
  readonly available: number;
  readonly created: number;
  readonly activeMs: number;
}

/** An item as it is kept. */
export interface ReadItem {
  readonly item: string;
  readonly number: number;
  readonly externalId: string | null;
  readonly prompt: FeedbackContent;
  readonly answers: readonly FeedbackAnswer[];
  readonly asks: readonly Ask[];
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  readonly promptHash: string;
  readonly split: "train" | "valid" | "test";
  /** Judgements that it was to have before anybody disagreed; 0: it was judged elsewhere. */
  readonly planned: number;
  /** What is right, where it is known. */
  readonly gold: readonly JudgementValue[] | undefined;
}

export interface ReadJudgements {
  readonly project: string;
  /** Default: what people said, here or elsewhere. */
  readonly purposes?: readonly Purpose[];
  /** Those that have come behind this event. */
  readonly since?: number;
  /** Of this item alone, or of these: so many as one query names. */
  readonly item?: string | readonly string[];
  /** Also those that came too late for a slot; they count for agreement. */
  readonly late?: boolean;
  /** False: without annotators of the group of those who are simulated. Default true. */
  readonly simulated?: boolean;
}

/** Groups that annotators declared, by annotator. */
export async function declaredGroups(
  reading: Database,
  project: string,
): Promise<ReadonlyMap<string, string>> {
  const rows = await reading
    .selectFrom("annotators")
    .select(["annotator", "declared_group"])
    .where("project", "=", project)
    .where("declared_group", "is not", null)
    .execute();
  return new Map(rows.map(({ annotator, declared_group }) => [annotator, declared_group ?? ""]));
}

/** Judgements read together. */
const CHUNK = 5_000;

/** In the order in which they came, some thousands at a time. */
export async function* readJudgements(
  reading: Database,
  { project, purposes = ["work", "import"], since = 0, late = false, simulated = true, item }: ReadJudgements,
): AsyncGenerator<readonly ReadJudgement[]> {
  for (let after = since; ; ) {
    let query = reading
      .selectFrom("judgements as j")
      .innerJoin("assignments as a", (join) =>
        join.onRef("a.project", "=", "j.project").onRef("a.assignment", "=", "j.assignment"),
      )
      .select([
        ...(["j.judgement", "j.seq", "j.item", "j.annotator", "j.purpose", "j.counts", "j.given"] as const),
        ...(["j.created", "j.active_ms", "a.shown", "a.random", "a.propensity", "a.available"] as const),
      ])
      .where("j.project", "=", project)
      .where("j.withdrawn", "=", 0)
      .where("j.purpose", "in", [...purposes])
      .where("j.seq", ">", after)
      .orderBy("j.seq")
      .limit(CHUNK);
    if (item !== undefined) query = query.where("j.item", "in", [item].flat());
    if (!late) query = query.where("j.counts", "=", 1);
    if (!simulated)
      query = query.where((e) =>
        e.not(
          e.exists(
            e
              .selectFrom("annotators as p")
              .select("p.annotator")
              .whereRef("p.project", "=", "j.project")
              .whereRef("p.annotator", "=", "j.annotator")
              .where("p.declared_group", "=", SIMULATED),
          ),
        ),
      );
    const rows = await query.execute();
    if (rows.length === 0) return;
    yield rows.map((row) => ({
      judgement: row.judgement,
      seq: Number(row.seq),
      item: row.item,
      annotator: row.annotator,
      purpose: row.purpose,
      counts: row.counts === 1,
      values: JSON.parse(row.given) as JudgementValue[],
      shown: JSON.parse(row.shown) as number[],
      random: row.random === 1,
      propensity: row.propensity,
      available: row.available,
      created: Number(row.created),
      activeMs: Number(row.active_ms),
    }));
    after = Number(rows.at(-1)?.seq ?? after);
  }
}

/** By id; the database takes so many names at once. */
const ITEMS_AT_ONCE = 500;

/** Items of these ids, by id; those that are not there are left out. */
export async function readItems(
  reading: Database,
  project: string,
  items: Iterable<string>,
): Promise<Map<string, ReadItem>> {
  const found = new Map<string, ReadItem>();
  for (const names of inParts(items)) {
    const rows = await reading
      .selectFrom("items")
      .selectAll()
      .where("project", "=", project)
      .where("item", "in", names)
      .execute();
    for (const row of rows) found.set(row.item, readItem(row));
  }
  return found;
}

function* inParts(items: Iterable<string>): Generator<readonly string[]> {
  const names = [...new Set(items)];
  for (let from = 0; from < names.length; from += ITEMS_AT_ONCE)
    yield names.slice(from, from + ITEMS_AT_ONCE);
}

/** By id, those of which is known what is right. */
export async function readGoldItems(
  reading: Database,
  project: string,
): Promise<ReadonlyMap<string, ReadItem>> {
  const rows = await reading
    .selectFrom("items")
    .selectAll()
    .where("project", "=", project)
    .where("gold", "is not", null)
    .execute();
  return new Map(rows.map((row) => [row.item, readItem(row)]));
}

/** Of the items of judgements, by id: the model of each answer. */
export async function readModels(
  reading: Database,
  project: string,
  judgements: readonly Pick<ReadJudgement, "item">[],
): Promise<ReadonlyMap<string, readonly (string | undefined)[]>> {
  const found = new Map<string, readonly (string | undefined)[]>();
  for (const names of inParts(judgements.map(({ item }) => item))) {
    const rows = await reading
      .selectFrom("items")
      .select(["item", "answers"])
      .where("project", "=", project)
      .where("item", "in", names)
      .execute();
    for (const { item, answers } of rows)
      found.set(
        item,
        (JSON.parse(answers) as FeedbackAnswer[]).map(({ model }) => model),
      );
  }
  return found;
}

function readItem(row: Selectable<ItemsTable>): ReadItem {
  return {
    item: row.item,
    number: Number(row.number),
    externalId: row.external_id,
    prompt: JSON.parse(row.prompt) as FeedbackContent,
    answers: JSON.parse(row.answers) as FeedbackAnswer[],
    asks: JSON.parse(row.asks) as Ask[],
    metadata: row.metadata === null ? undefined : (JSON.parse(row.metadata) as Record<string, unknown>),
    promptHash: row.prompt_hash,
    split: row.split,
    planned: row.planned ?? 0,
    gold: row.gold === null ? undefined : (JSON.parse(row.gold) as JudgementValue[]),
  };
}
