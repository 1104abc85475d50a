// A project's items as its owner sees them, some at a time, and one with all that was said of it. Must not write.

import { fail } from "../errors/index.js";
import type { JudgementValue } from "./judgement.js";
import { type ReadItem, readItems, readJudgements } from "./read-judgements.js";
import type { ItemState } from "./states.js";
import type { Database } from "./store/tables.js";

/** All states of items. */
export const itemStates = ["open", "enough", "disputed", "closed"] as const satisfies readonly ItemState[];

/** An item as its owner sees it. */
export interface ListedItem extends Omit<ReadItem, "promptHash" | "metadata"> {
  readonly state: ItemState;
  /** Judgements that are wanted, and that there are. */
  readonly slots: number;
  readonly judged: number;
  readonly unsafe: boolean;
  readonly created: number;
}

export interface ListItems {
  readonly reading: Database;
  readonly project: string;
  readonly state?: ItemState;
  /** Those whose right answer is known, or is not. */
  readonly gold?: boolean;
  /** Behind the item of this number. */
  readonly after: number;
  readonly most: number;
}

/** Some items, and where the next page begins. */
export interface ItemPage {
  readonly items: readonly ListedItem[];
  /** What `after` is for the next page; absent: this one is the last. */
  readonly next?: number;
}

/** In the order in which they were added. */
export async function listItems({
  reading,
  project,
  state,
  gold,
  after,
  most,
}: ListItems): Promise<ItemPage> {
  let query = reading
    .selectFrom("items")
    .select(["item", "number", "state", "slots", "judged", "unsafe", "created"])
    .where("project", "=", project)
    .where("number", ">", after)
    .orderBy("number")
    .limit(most + 1);
  if (state !== undefined) query = query.where("state", "=", state);
  if (gold !== undefined) query = query.where("gold", gold ? "is not" : "is", null);
  const rows = await query.execute();
  const page = rows.slice(0, most);
  const read = await readItems(
    reading,
    project,
    page.map(({ item }) => item),
  );
  const items = page.flatMap((row): readonly ListedItem[] => {
    const found = read.get(row.item);
    if (found === undefined) return [];
    const { promptHash: _, metadata: __, ...item } = found;
    return [
      {
        ...item,
        state: row.state,
        slots: Number(row.slots),
        judged: Number(row.judged),
        unsafe: row.unsafe === 1,
        created: Number(row.created),
      },
    ];
  });
  const last = page.at(-1);
  return { items, ...(rows.length > most && last !== undefined ? { next: Number(last.number) } : {}) };
}

/** One judgement of an item, hidden checks too. */
export interface SaidOfItem {
  readonly judgement: string;
  readonly annotator: string;
  readonly purpose: string;
  readonly values: readonly JudgementValue[];
  /** Where each position that a value names was when the item was added. */
  readonly shown: readonly number[];
  readonly created: number;
}

/** All that was said of an item, the oldest first, hidden checks too. @throws ATTUNE_NOT_FOUND */
export async function saidOfItem(
  reading: Database,
  project: string,
  item: string,
): Promise<readonly SaidOfItem[]> {
  if (!(await readItems(reading, project, [item])).has(item))
    throw fail("ATTUNE_NOT_FOUND", `Expected an item of the project but there is no "${item}".`);
  const said: SaidOfItem[] = [];
  const purposes = ["work", "gold", "repeat"] as const;
  for await (const chunk of readJudgements(reading, { project, item, purposes, late: true }))
    for (const { judgement, annotator, purpose, values, shown, created } of chunk)
      said.push({ judgement, annotator, purpose, values, shown, created });
  return said;
}
