// What must be true of a store after people have worked on it at once: nothing lost, nothing twice, no item over its slots,
// a log without gaps that folds to what is shown. Must not write judgements.

import { createHash } from "node:crypto";
import { expect } from "chai";
import { sql } from "kysely";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { projectionKeys, projections } from "../../lib/feedback/store/tables.js";

/** `acknowledged`: of the project's judgements all, or where processes died those that must be there at least. */
export async function checkJudgements(
  store: FeedbackStore,
  acknowledged: readonly string[],
  { all }: { readonly all: boolean },
): Promise<void> {
  const rows = await store.reading.selectFrom("judgements").select(["judgement", "assignment"]).execute();
  const kept = new Set(rows.map(({ judgement }) => judgement));
  expect(
    acknowledged.filter((judgement) => !kept.has(judgement)),
    "lost",
  ).to.deep.equal([]);
  if (all) expect(rows.length, "judgements that nobody was told of").to.equal(acknowledged.length);
  expect(new Set(acknowledged).size, "acknowledged twice").to.equal(acknowledged.length);
  expect(new Set(rows.map(({ assignment }) => assignment)).size, "one lease judged twice").to.equal(
    rows.length,
  );
}

export async function checkSlots(store: FeedbackStore): Promise<void> {
  const over = await store.reading
    .selectFrom("items")
    .select(["item", "slots", "taken"])
    .where("taken", ">", sql.ref<number>("slots"))
    .execute();
  expect(over, "items over their slots").to.deep.equal([]);
  const held = await store.reading
    .selectFrom("items as i")
    .leftJoin("assignments as a", (join) =>
      join.onRef("a.project", "=", "i.project").onRef("a.item", "=", "i.item").on("a.purpose", "=", "work"),
    )
    .select([
      "i.item",
      "i.taken",
      sql<number>`sum(case when a.state in ('leased', 'submitted') then 1 else 0 end)`.as("held"),
    ])
    .groupBy(["i.project", "i.item", "i.taken"])
    .execute();
  const wrong = held.filter(({ taken, held: counted }) => taken !== Number(counted));
  expect(wrong, "slots that nobody holds, or that are held twice").to.deep.equal([]);
}

export async function checkLog(store: FeedbackStore): Promise<void> {
  const { count, last } = await store.reading
    .selectFrom("events")
    .select((e) => [e.fn.countAll<number>().as("count"), e.fn.max<number>("seq").as("last")])
    .executeTakeFirstOrThrow();
  expect(Number(count), "a log without gaps").to.equal(Number(last));
}

/** A hash of all that projections hold, read a part at a time. */
async function shownHash(store: FeedbackStore): Promise<string> {
  const hash = createHash("sha256");
  for (const table of projections) {
    const order = ["project", ...projectionKeys[table]];
    for (let from = 0; ; from += 10_000) {
      let query = store.reading.selectFrom(table).selectAll().limit(10_000).offset(from);
      for (const column of order) query = query.orderBy(sql.ref(column));
      const rows = await query.execute();
      for (const row of rows) hash.update(JSON.stringify(row));
      if (rows.length < 10_000) break;
    }
  }
  return hash.digest("hex");
}

/** The number of events. */
export async function checkRebuild(store: FeedbackStore): Promise<number> {
  const before = await shownHash(store);
  const events = await store.rebuild();
  expect(await shownHash(store), "what the log folds to").to.equal(before);
  return events;
}
