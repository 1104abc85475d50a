// Reads webhooks, what waits for each, and what it could not be told of. Must not write.

import type { EventType, FeedbackEvent } from "../event.js";
import { eventOf } from "../store/event-log.js";
import type { Database, WebhooksTable } from "../store/tables.js";

export interface KeptWebhook {
  readonly id: string;
  readonly project: string;
  readonly url: string;
  /** None: all. */
  readonly types: readonly EventType[];
  readonly texts: boolean;
  readonly secret: string;
  readonly created: number;
  /** It has been told of everything up to here. */
  readonly seq: number;
  readonly attempts: number;
  readonly failingSince: number | undefined;
  readonly due: number;
  readonly reason: string | undefined;
}

function keptOf(row: WebhooksTable): KeptWebhook {
  return {
    id: row.webhook,
    project: row.project,
    url: row.url,
    types: JSON.parse(row.types) as EventType[],
    texts: row.texts === 1,
    secret: row.secret,
    created: Number(row.created),
    seq: Number(row.seq),
    attempts: row.attempts,
    failingSince: row.failing_since === null ? undefined : Number(row.failing_since),
    due: Number(row.due),
    reason: row.reason ?? undefined,
  };
}

/** Of a project, or of all. */
export async function keptWebhooks(reading: Database, project?: string): Promise<readonly KeptWebhook[]> {
  let query = reading.selectFrom("webhooks").selectAll().orderBy("created").orderBy("webhook");
  if (project !== undefined) query = query.where("project", "=", project);
  return (await query.execute()).map(keptOf);
}

/** What its owner sees: all but the secret. */
export type ShownWebhook = Omit<KeptWebhook, "secret" | "failingSince" | "due"> & {
  readonly failingSince?: number;
  readonly due?: number;
};

/** A webhook without its secret. */
export function shownWebhook({ secret: _, failingSince, due, ...rest }: KeptWebhook): ShownWebhook {
  return { ...rest, ...(failingSince === undefined ? {} : { failingSince, due }) };
}

export interface WaitingEvents {
  readonly webhook: KeptWebhook;
  readonly after: number;
  readonly most: number;
  /** Those that happened until then. */
  readonly until?: number;
}

/** Events that a webhook wants, in order. */
export async function waitingEvents(
  reading: Database,
  { webhook, after, most, until }: WaitingEvents,
): Promise<readonly FeedbackEvent[]> {
  let query = reading
    .selectFrom("events")
    .selectAll()
    .where("project", "=", webhook.project)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(most);
  if (webhook.types.length > 0) query = query.where("type", "in", webhook.types);
  if (until !== undefined) query = query.where("time", "<=", until);
  return (await query.execute()).map(eventOf);
}

/** The project's last event. */
export async function lastSeq(reading: Database, project: string): Promise<number> {
  const place = await reading
    .selectFrom("sequences")
    .select("seq")
    .where("project", "=", project)
    .executeTakeFirst();
  return Number(place?.seq ?? 0);
}

/** An event that an address could not be told of. */
export interface DeadDelivery {
  readonly seq: number;
  readonly id: string;
  readonly type: EventType;
  readonly attempts: number;
  readonly reason: string;
  /** When it was given up. */
  readonly time: number;
  /** It waits to be sent again. */
  readonly again: boolean;
}

export interface ReadDead {
  readonly webhook: string;
  readonly after: number;
  readonly most: number;
}

/** Of one webhook, in the order of events. */
export async function deadDeliveries(
  reading: Database,
  { webhook, after, most }: ReadDead,
): Promise<readonly DeadDelivery[]> {
  const rows = await reading
    .selectFrom("dead_deliveries as d")
    .innerJoin("webhooks as w", "w.webhook", "d.webhook")
    .innerJoin("events as e", (join) =>
      join.onRef("e.project", "=", "w.project").onRef("e.seq", "=", "d.seq"),
    )
    .select(["d.seq", "e.id", "e.type", "d.attempts", "d.reason", "d.time", "d.again"])
    .where("d.webhook", "=", webhook)
    .where("d.seq", ">", after)
    .orderBy("d.seq")
    .limit(most)
    .execute();
  return rows.map(({ seq, time, again, ...rest }) => ({
    ...rest,
    seq: Number(seq),
    time: Number(time),
    again: again === 1,
  }));
}

/** The first dead one that is to be sent again. */
export async function nextAgain(reading: Database, webhook: KeptWebhook): Promise<FeedbackEvent | undefined> {
  const row = await reading
    .selectFrom("dead_deliveries as d")
    .innerJoin("events as e", (join) =>
      join.onRef("e.seq", "=", "d.seq").on("e.project", "=", webhook.project),
    )
    .selectAll("e")
    .where("d.webhook", "=", webhook.id)
    .where("d.again", "=", 1)
    .orderBy("d.seq")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : eventOf(row);
}
