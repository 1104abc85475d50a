// Items of which something was said, taken back or taken out behind an event: their rows are not what they were.
// Must not make rows.

import type { EventType, FeedbackEvent } from "../event.js";
import type { Database } from "../store/tables.js";

export interface ChangedItems {
  readonly project: string;
  /** Events behind this one. */
  readonly since: number;
  /** Also all items of the same prompts: some rows are of two. */
  readonly ofPrompts: boolean;
}

const EVENTS_AT_ONCE = 5_000;
/** Names in one query. */
const ITEMS_AT_ONCE = 500;

const changing = [
  "judgement.created",
  "judgement.imported",
  "judgement.withdrawn",
  "gold.set",
] as const satisfies readonly EventType[];

/** Each once, some at a time. */
export async function* changedItems(
  reading: Database,
  options: ChangedItems,
): AsyncGenerator<readonly string[]> {
  const changed = [...(await itemsOfEvents(reading, options))];
  const told = new Set<string>();
  for (let from = 0; from < changed.length; from += ITEMS_AT_ONCE) {
    const some = changed.slice(from, from + ITEMS_AT_ONCE);
    const all = options.ofPrompts ? await ofSamePrompts(reading, options.project, some) : some;
    const fresh = all.filter((item) => !told.has(item));
    for (const item of fresh) told.add(item);
    for (let at = 0; at < fresh.length; at += ITEMS_AT_ONCE) yield fresh.slice(at, at + ITEMS_AT_ONCE);
  }
}

async function itemsOfEvents(
  reading: Database,
  { project, since }: ChangedItems,
): Promise<ReadonlySet<string>> {
  const items = new Set<string>();
  for (let after = since; ; ) {
    const rows = await reading
      .selectFrom("events")
      .select(["seq", "body"])
      .where("project", "=", project)
      .where("seq", ">", after)
      .where("type", "in", [...changing])
      .orderBy("seq")
      .limit(EVENTS_AT_ONCE)
      .execute();
    for (const { body } of rows)
      items.add((JSON.parse(body) as FeedbackEvent<(typeof changing)[number]>["body"]).item);
    if (rows.length < EVENTS_AT_ONCE) return items;
    after = Number(rows.at(-1)?.seq ?? after);
  }
}

async function ofSamePrompts(
  reading: Database,
  project: string,
  items: readonly string[],
): Promise<readonly string[]> {
  const rows = await reading
    .selectFrom("items")
    .select("item")
    .where("project", "=", project)
    .where("prompt_hash", "in", (e) =>
      e.selectFrom("items").select("prompt_hash").where("project", "=", project).where("item", "in", items),
    )
    .orderBy("number")
    .execute();
  return rows.map(({ item }) => item);
}
