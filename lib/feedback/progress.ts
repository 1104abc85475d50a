// How far a project is: items by state, judgements, and how many came lately. Must not write.

import type { ItemState } from "./states.js";
import type { Database } from "./store/tables.js";

/** How far a project is. */
export interface Progress {
  readonly items: Readonly<Record<ItemState, number>>;
  readonly judgements: number;
  readonly skips: number;
  /** Leases that are held now. */
  readonly leases: number;
  /** Judgements of the last hour, and of the last 24. */
  readonly lastHour: number;
  readonly lastDay: number;
  /** Who judged in the last 24 hours. */
  readonly people: number;
  /** Of the log: what follows can be read behind it. */
  readonly seq: number;
}

const HOUR = 3_600_000;

/** `now`: milliseconds since 1970. */
export async function progressOf(reading: Database, project: string, now: number): Promise<Progress> {
  const states = await reading
    .selectFrom("items")
    .select((e) => ["state", e.fn.countAll<number>().as("count")])
    .where("project", "=", project)
    .groupBy("state")
    .execute();
  const items: Record<ItemState, number> = { open: 0, enough: 0, closed: 0, disputed: 0 };
  for (const { state, count } of states) items[state] = Number(count);
  const judged = (since: number) =>
    reading
      .selectFrom("judgements")
      .select((e) => e.fn.countAll<number>().as("count"))
      .where("project", "=", project)
      .where("withdrawn", "=", 0)
      .where("created", ">=", since)
      .executeTakeFirstOrThrow();
  const count = async (table: "skips" | "assignments") => {
    let query = reading
      .selectFrom(table)
      .select((e) => e.fn.countAll<number>().as("count"))
      .where("project", "=", project);
    if (table === "assignments") query = query.where("state" as never, "=", "leased" as never);
    return Number((await query.executeTakeFirstOrThrow()).count);
  };
  const { people } = await reading
    .selectFrom("judgements")
    .select((e) => e.fn.count<number>("annotator").distinct().as("people"))
    .where("project", "=", project)
    .where("withdrawn", "=", 0)
    .where("created", ">=", now - 24 * HOUR)
    .executeTakeFirstOrThrow();
  const place = await reading
    .selectFrom("sequences")
    .select("seq")
    .where("project", "=", project)
    .executeTakeFirst();
  return {
    items,
    judgements: Number((await judged(0)).count),
    skips: await count("skips"),
    leases: await count("assignments"),
    lastHour: Number((await judged(now - HOUR)).count),
    lastDay: Number((await judged(now - 24 * HOUR)).count),
    people: Number(people),
    seq: Number(place?.seq ?? 0),
  };
}
