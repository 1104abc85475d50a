// Appends events and reads them back. An event and what it changes are written in one transaction.
// Must not decide what happens.

import { sql } from "kysely";
import { fail } from "../../errors/index.js";
import { EVENT_VERSION, type EventBodies, type EventType, type FeedbackEvent } from "../event.js";
import { applyEvent, GatheredEffects } from "./apply.js";
import { BulkWrite } from "./bulk-write.js";
import { type Database, type EventsTable, projections, type Writing } from "./tables.js";

export interface AppendContext {
  readonly writing: Writing;
  readonly project: string;
  /** Milliseconds; an event's time is never less than that of the one before, whatever the clock does. */
  readonly now: number;
  /** A new id. */
  readonly id: () => string;
}

/** Writes the event and its effects. Whoever appends to a project first holds off the others until the transaction ends. */
export async function append<Type extends EventType>(
  { writing, project, now, id }: AppendContext,
  type: Type,
  actor: string,
  body: EventBodies[Type],
): Promise<FeedbackEvent<Type>> {
  const place = await advance(writing, { project, now, by: 1 });
  const event = {
    project,
    seq: place.seq,
    id: id(),
    time: place.time,
    type,
    actor,
    body,
  } as FeedbackEvent<Type>;
  await writing
    .insertInto("events")
    .values({ ...event, body: JSON.stringify(body), version: EVENT_VERSION })
    .execute();
  await applyEvent(writing, event as FeedbackEvent);
  return event;
}

/** An event before it is written. */
export type NewEvent = {
  readonly [Type in EventType]: {
    readonly type: Type;
    readonly actor: string;
    readonly body: EventBodies[Type];
  };
}[EventType];

/** Many events, in order, with their effects written together. */
export async function appendAll(
  { writing, project, now, id }: AppendContext,
  events: readonly NewEvent[],
): Promise<readonly FeedbackEvent[]> {
  if (events.length === 0) return [];
  const place = await advance(writing, { project, now, by: events.length });
  const first = place.seq - events.length + 1;
  const written = events.map(
    (event, i) => ({ ...event, project, seq: first + i, id: id(), time: place.time }) as FeedbackEvent,
  );
  await keepEvents(writing, project, written);
  return written;
}

/** Events that have their numbers, and their effects. */
export async function keepEvents(
  writing: Writing,
  project: string,
  events: readonly FeedbackEvent[],
): Promise<void> {
  const gathered = new GatheredEffects(project);
  for (const event of events) gathered.take(event);
  await new BulkEvents().write(writing, events);
  await gathered.write(writing);
}

interface Advance {
  readonly project: string;
  readonly now: number;
  readonly by: number;
}

/** Takes numbers of the log: whoever does so first holds off the others until the transaction ends. */
async function advance(writing: Writing, { project, now, by }: Advance) {
  const place = await writing
    .updateTable("sequences")
    .set((e) => ({
      seq: e("seq", "+", by),
      time: sql<number>`case when ${e.ref("time")} < ${now} then ${now} else ${e.ref("time")} end`,
    }))
    .where("project", "=", project)
    .returning(["seq", "time"])
    .executeTakeFirst();
  if (place === undefined) throw unknownProject(project);
  return { seq: Number(place.seq), time: Number(place.time) };
}

/** Nobody else appends to the project until the transaction ends. Its last `seq`. @throws ATTUNE_NOT_FOUND */
export async function holdLog(writing: Writing, project: string): Promise<number> {
  const place = await writing
    .updateTable("sequences")
    .set((e) => ({ seq: e.ref("seq") }))
    .where("project", "=", project)
    .returning("seq")
    .executeTakeFirst();
  if (place === undefined) throw unknownProject(project);
  return Number(place.seq);
}

/** Writes events that are there already, with their numbers, and nothing of what they change. */
export class BulkEvents {
  private readonly bulk = new BulkWrite();

  async write(writing: Writing, events: readonly FeedbackEvent[]): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const rows = events.map(({ body, ...event }) => ({
      ...event,
      body: JSON.stringify(body),
      version: EVENT_VERSION,
    }));
    await this.bulk.insert(writing, "events", rows);
    const { project, seq, time } = last;
    await writing.updateTable("sequences").set({ seq, time }).where("project", "=", project).execute();
  }
}

/** Begins a project's log. @throws ATTUNE_EXISTS */
export async function beginLog({ writing, project, now }: AppendContext): Promise<void> {
  const found = await writing
    .insertInto("sequences")
    .values({ project, seq: 0, time: now })
    .onConflict((conflict) => conflict.column("project").doNothing())
    .returning("seq")
    .executeTakeFirst();
  if (found !== undefined) return;
  throw fail("ATTUNE_EXISTS", `Expected a new project but "${project}" is there already.`);
}

export function unknownProject(project: string) {
  return fail("ATTUNE_NOT_FOUND", `Expected a project of this store but there is no "${project}".`);
}

/** Of the last event. @throws ATTUNE_NOT_FOUND */
export async function lastSeq(database: Database, project: string): Promise<number> {
  const place = await database
    .selectFrom("sequences")
    .select("seq")
    .where("project", "=", project)
    .executeTakeFirst();
  if (place === undefined) throw unknownProject(project);
  return Number(place.seq);
}

export interface ReadEvents {
  readonly project: string;
  /** Events behind this `seq`. */
  readonly after: number;
  readonly most: number;
}

/** A project's events behind a number, in order. */
export async function readEvents(
  database: Database,
  { project, after, most }: ReadEvents,
): Promise<FeedbackEvent[]> {
  const rows = await database
    .selectFrom("events")
    .selectAll()
    .where("project", "=", project)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(most)
    .execute();
  return rows.map(eventOf);
}

export function eventOf(row: EventsTable): FeedbackEvent {
  const { version, body, ...rest } = row;
  if (version > EVENT_VERSION)
    throw fail(
      "ATTUNE_STORE",
      "Expected events of this version but a newer attune has written some. Update attune.",
    );
  return { ...rest, seq: Number(rest.seq), time: Number(rest.time), body: JSON.parse(body) } as FeedbackEvent;
}

/** Events folded between two writes. */
const CHUNK = 10_000;

/** Empties the projections and folds every log again, in one transaction. Number of events. */
export async function rebuild(writing: Writing, progress?: (events: number) => void): Promise<number> {
  for (const table of projections) await writing.deleteFrom(table).execute();
  const logs = await writing.selectFrom("sequences").select("project").orderBy("project").execute();
  let done = 0;
  for (const { project } of logs) {
    const gathered = new GatheredEffects(project);
    for (let after = 0; ; ) {
      const events = await readEvents(writing, { project, after, most: CHUNK });
      for (const event of events) gathered.take(event);
      await gathered.write(writing);
      done += events.length;
      progress?.(done);
      if (events.length < CHUNK) break;
      after = events.at(-1)?.seq ?? after;
    }
  }
  return done;
}
