// Writes a project's log as another store had it, part by part: numbers, ids and times stay. Parts that are there already
// are passed over, so a restore that was cut off can be begun again. Must not read files.

import { randomBytes } from "node:crypto";
import { fail } from "../../errors/index.js";
import type { FeedbackEvent } from "../event.js";
import { keepEvents } from "../store/event-log.js";
import type { ExportsTable, SecretsTable, TokensTable } from "../store/tables.js";
import type { OperationContext } from "./context.js";

/** @throws ATTUNE_EXISTS for another log of that project, ATTUNE_DATA for a part that does not follow what is there */
export async function restoreEvents(
  context: OperationContext,
  { events }: { readonly events: readonly FeedbackEvent[] },
): Promise<{ readonly added: number }> {
  const { writing, project } = context;
  await writing
    .insertInto("sequences")
    .values({ project, seq: 0, time: 0 })
    .onConflict((conflict) => conflict.column("project").doNothing())
    .execute();
  await context.hold();
  const place = await writing
    .selectFrom("sequences")
    .select("seq")
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  const last = Number(place.seq);
  await checkKnown(
    context,
    events.filter(({ seq }) => seq <= last),
  );
  const fresh = events.filter(({ seq }) => seq > last).map((event) => ({ ...event, project }));
  const [first] = fresh;
  if (first === undefined) return { added: 0 };
  if (first.seq !== last + 1)
    throw fail("ATTUNE_DATA", `Expected event ${last + 1} of the log but received ${first.seq}.`);
  const time = Math.max(...fresh.map((event) => event.time));
  await writing
    .updateTable("sequences")
    .set({ seq: last + fresh.length, time })
    .where("project", "=", project)
    .execute();
  await keepEvents(writing, project, fresh);
  if (last === 0) await makeSecret(context);
  return { added: fresh.length };
}

async function checkKnown({ writing, project }: OperationContext, events: readonly FeedbackEvent[]) {
  if (events.length === 0) return;
  const rows = await writing
    .selectFrom("events")
    .select("id")
    .where("project", "=", project)
    .where(
      "seq",
      "in",
      events.map(({ seq }) => seq),
    )
    .execute();
  const known = new Set(rows.map(({ id }) => id));
  if (events.every(({ id }) => known.has(id))) return;
  throw fail("ATTUNE_EXISTS", `Expected a store without "${project}" but it has another log of that name.`);
}

async function makeSecret({ writing, project }: OperationContext): Promise<void> {
  const value = randomBytes(32).toString("hex");
  await writing
    .insertInto("secrets")
    .values({ project, name: "pseudonyms", value })
    .onConflict((conflict) => conflict.columns(["project", "name"]).doNothing())
    .execute();
}

/** What no event tells. */
export interface OwnRows {
  readonly secrets?: readonly SecretsTable[];
  readonly tokens?: readonly TokensTable[];
  readonly exports?: readonly ExportsTable[];
}

/** Behind the events: so that people keep their pseudonyms and tokens, and what was given out is known. */
export async function restoreOwn(
  { writing, project }: OperationContext,
  { secrets = [], tokens = [], exports: marks = [] }: OwnRows,
): Promise<void> {
  for (const { name, value } of secrets)
    await writing
      .insertInto("secrets")
      .values({ project, name, value })
      .onConflict((conflict) => conflict.columns(["project", "name"]).doUpdateSet({ value }))
      .execute();
  for (const row of tokens)
    await writing
      .insertInto("tokens")
      .values({ ...row, project })
      .onConflict((conflict) => conflict.column("token").doNothing())
      .execute();
  if (marks.length === 0) return;
  await writing
    .insertInto("exports")
    .values(marks.map(({ judgement, time }) => ({ project, judgement, time })))
    .onConflict((conflict) => conflict.columns(["project", "judgement"]).doNothing())
    .execute();
}
