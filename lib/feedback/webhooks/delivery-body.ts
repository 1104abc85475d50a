// What of an event goes out to an owner's address: which it is, of what type, and the ids and facts that are named here; texts
// of people and models only where they were asked for. Must not know the store.

import type { EventBodies, EventType, FeedbackEvent } from "../event.js";

/** What a webhook is sent: an event, whole or without its texts. */
export interface DeliveryBody {
  readonly project: string;
  readonly seq: number;
  /** Of the event. */
  readonly id: string;
  readonly time: number;
  readonly type: EventType;
  readonly actor: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Fields without texts. What is not named here stays: an event of a later version says nothing by accident. */
const plainFields: { readonly [Type in EventType]?: readonly (keyof EventBodies[Type])[] } = {
  "project.guidelines": ["version"],
  "item.added": ["item", "number", "externalId", "split", "unsafe", "slots"],
  "item.changed": ["item", "state", "slots"],
  "item.closed": ["item"],
  "gold.set": ["item"],
  "annotator.added": ["annotator", "number"],
  "annotator.changed": ["annotator"],
  "policy.registered": ["policy", "number", "model", "checkpoint"],
  "assignment.leased": ["assignment", "item", "annotator", "purpose", "until"],
  "assignment.renewed": ["assignment", "until"],
  "assignment.expired": ["assignment", "item"],
  "assignment.skipped": ["assignment", "item", "annotator", "reason"],
  "judgement.created": ["judgement", "assignment", "item", "annotator", "purpose", "counts", "supersedes"],
  "judgement.withdrawn": ["judgement", "assignment", "item", "exported", "supersededBy"],
  "payload.redacted": ["of", "item", "judgement"],
};

export function deliveryBody(event: FeedbackEvent, texts: boolean): DeliveryBody {
  const { project, seq, id, time, type, actor } = event;
  const body = event.body as unknown as Readonly<Record<string, unknown>>;
  const fields: readonly string[] = plainFields[type] ?? [];
  const plain = Object.fromEntries(
    fields.filter((field) => field in body).map((field) => [field, body[field]]),
  );
  return { project, seq, id, time, type, actor, body: texts ? body : plain };
}
