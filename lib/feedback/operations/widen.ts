// Gives items the judgements that changed settings want of them: more than when they were added, never fewer. A part at a time,
// so that people who judge meanwhile do not wait.

import type { NewEvent } from "../store/event-log.js";
import type { OperationContext } from "./context.js";
import { slotsOf } from "./items.js";

export interface WidenItems {
  /** Items by number from here. */
  readonly from: number;
}

export interface WidenedItems {
  /** `from` of the rest; undefined: all are done. */
  readonly next?: number;
  readonly widened: number;
}

const ITEMS_TOGETHER = 500;

/** Not those that are closed, hidden checks, or judged elsewhere. */
export async function widenItems(context: OperationContext, { from }: WidenItems): Promise<WidenedItems> {
  const { read } = await context.knownProject();
  const rows = await context.writing
    .selectFrom("items")
    .select(["item", "number", "state", "slots", "planned", "judged", "gold"])
    .where("project", "=", context.project)
    .where("number", ">=", from)
    .orderBy("number")
    .limit(ITEMS_TOGETHER)
    .execute();
  const events = rows.flatMap(({ item, number, state, slots, planned, judged, gold }): NewEvent[] => {
    const wanted = slotsOf(Number(number), read);
    if (planned === null || wanted <= planned || gold !== null || state === "closed") return [];
    const more = Math.max(slots, wanted);
    const body = { item, planned: wanted, slots: more, state: judged < more ? ("open" as const) : state };
    return [{ type: "item.changed", actor: "service", body }];
  });
  await context.appendAll(events);
  const last = rows.at(-1);
  return {
    widened: events.length,
    ...(last === undefined || rows.length < ITEMS_TOGETHER ? {} : { next: Number(last.number) + 1 }),
  };
}
