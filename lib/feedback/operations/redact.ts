// Takes what an item or a judgement says out of the log: the only thing that changes an event. What is left says that
// something was there. Rows that were made of it are named as withdrawn. Must not decide who may.

import type { EventBodies, FeedbackEvent } from "../event.js";
import { eventOf } from "../store/event-log.js";
import { REDACTED } from "../store/fold.js";
import type { JudgementsTable } from "../store/tables.js";
import type { OperationContext } from "./context.js";
import { dropDraft } from "./drafts.js";
import { dropMedia } from "./keep-media.js";
import { wasExported } from "./record-export.js";
import { settle } from "./submit.js";

export interface Redacted {
  readonly item?: string;
  /** All that are gone with it. */
  readonly judgements: readonly string[];
}

/** An item's prompt, answers and metadata, its known answer, and all that people have said of it. @throws ATTUNE_NOT_FOUND */
export async function redactItem(
  context: OperationContext,
  { item }: { readonly item: string },
): Promise<Redacted> {
  await context.knownItem(item);
  await context.open();
  const { writing, project } = context;
  const rows = await writing
    .selectFrom("judgements")
    .select("judgement")
    .where("project", "=", project)
    .where("item", "=", item)
    .orderBy("seq")
    .execute();
  // Closed first: nobody is asked again because judgements go. Who has it before them is not shown it again.
  await context.append("item.closed", "owner", { item });
  await endLeasesOf(context, item);
  const judgements = rows.map(({ judgement }) => judgement);
  for (const judgement of judgements) await takeOut(context, judgement);
  for (const { seq, body } of await eventsOf(context, "item.added", item)) {
    await replaceBody(context, seq, withoutItem(body));
    await context.append("payload.redacted", "owner", { of: seq, item });
  }
  for (const { seq, body } of await eventsOf(context, "gold.set", item)) {
    if (body.right === null) continue;
    await replaceBody(context, seq, { ...body, right: null });
    await context.append("payload.redacted", "owner", { of: seq, item });
  }
  await dropMedia(context, item);
  await takeOutNotes(context, item);
  await dropDrafts(context, item);
  return { item, judgements };
}

/** What a person has said, in all its versions. @throws ATTUNE_NOT_FOUND */
export async function redactJudgement(
  context: OperationContext,
  { judgement }: { readonly judgement: string },
): Promise<Redacted> {
  await context.open();
  const { assignment } = await context.knownJudgement(judgement);
  const rows = await context.writing
    .selectFrom("judgements")
    .select("judgement")
    .where("project", "=", context.project)
    .where("assignment", "=", assignment)
    .orderBy("seq")
    .execute();
  const judgements = rows.map((row) => row.judgement);
  for (const one of judgements) await takeOut(context, one);
  await dropDraft(context, assignment);
  return { judgements };
}

async function endLeasesOf(context: OperationContext, item: string): Promise<void> {
  const rows = await context.writing
    .selectFrom("assignments")
    .select(["assignment", "annotator", "purpose"])
    .where("project", "=", context.project)
    .where("item", "=", item)
    .where("state", "=", "leased")
    .execute();
  for (const { assignment, annotator, purpose } of rows) {
    const takes = purpose === "work" ? -1 : 0;
    await context.append("assignment.expired", "owner", { assignment, item, annotator, takes });
  }
}

async function takeOut(context: OperationContext, judgement: string): Promise<void> {
  const row = await context.knownJudgement(judgement);
  if (row.withdrawn === 0) await withdraw(context, row);
  const [event] = await eventsAt(context, [Number(row.seq)]);
  const said = event?.type === "judgement.created" || event?.type === "judgement.imported";
  if (event === undefined || !said || event.body.values.length === 0) return;
  await replaceBody(context, event.seq, { ...event.body, values: [] });
  await context.append("payload.redacted", "owner", { of: event.seq, judgement });
}

/** Rows that were given out are named, and its slot is free. */
async function withdraw(context: OperationContext, row: JudgementsTable): Promise<void> {
  const { judgement, assignment, item, purpose, counts } = row;
  const counted = (purpose === "work" && counts === 1) || purpose === "import";
  const exported = await wasExported(context, judgement);
  const takes = counted ? -1 : 0;
  await context.append("judgement.withdrawn", "owner", { judgement, assignment, item, takes, exported });
  if (purpose === "work") await settle(context, item);
}

function withoutItem(body: EventBodies["item.added"]): EventBodies["item.added"] {
  const { metadata: _, ...rest } = body;
  return { ...rest, prompt: REDACTED, answers: [] };
}

/** What somebody wrote when they passed the item over. */
async function takeOutNotes(context: OperationContext, item: string): Promise<void> {
  for (const event of await eventsOf(context, "assignment.skipped", item)) {
    const { note, ...body } = event.body;
    if (note === undefined) continue;
    await replaceBody(context, event.seq, body);
    await context.append("payload.redacted", "owner", { of: event.seq, skip: body.assignment });
  }
}

async function dropDrafts({ writing, project }: OperationContext, item: string): Promise<void> {
  await writing
    .deleteFrom("drafts")
    .where("project", "=", project)
    .where("assignment", "in", (e) =>
      e
        .selectFrom("assignments")
        .select("assignment")
        .where("project", "=", project)
        .where("item", "=", item),
    )
    .execute();
}

/** Bodies are not indexed: the whole log is looked through, as is fit for what happens once in a while. */
async function eventsOf<Type extends "item.added" | "gold.set" | "assignment.skipped">(
  { writing, project }: OperationContext,
  type: Type,
  item: string,
): Promise<readonly FeedbackEvent<Type>[]> {
  const rows = await writing
    .selectFrom("events")
    .selectAll()
    .where("project", "=", project)
    .where("type", "=", type)
    .where("body", "like", `%"item":${JSON.stringify(item)}%`)
    .orderBy("seq")
    .execute();
  return (rows.map(eventOf) as FeedbackEvent<Type>[]).filter(({ body }) => body.item === item);
}

async function eventsAt({ writing, project }: OperationContext, seqs: readonly number[]) {
  const rows = await writing
    .selectFrom("events")
    .selectAll()
    .where("project", "=", project)
    .where("seq", "in", seqs)
    .execute();
  return rows.map(eventOf);
}

async function replaceBody(
  { writing, project }: OperationContext,
  seq: number,
  body: FeedbackEvent["body"],
): Promise<void> {
  await writing
    .updateTable("events")
    .set({ body: JSON.stringify(body) })
    .where("project", "=", project)
    .where("seq", "=", seq)
    .execute();
}
