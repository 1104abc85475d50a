// The types of events by name, for whoever chooses among them. Must not know bodies.

import type { EventType } from "./event.js";

const names: { readonly [Type in EventType]: true } = {
  "project.created": true,
  "project.changed": true,
  "project.guidelines": true,
  "item.added": true,
  "item.changed": true,
  "item.closed": true,
  "items.prioritised": true,
  "gold.set": true,
  "annotator.added": true,
  "annotator.changed": true,
  "policy.registered": true,
  "assignment.leased": true,
  "assignment.renewed": true,
  "assignment.expired": true,
  "assignment.skipped": true,
  "judgement.created": true,
  "judgement.imported": true,
  "judgement.withdrawn": true,
  "payload.redacted": true,
  "weights.fitted": true,
};

/** All types of events. */
export const eventTypes = Object.keys(names) as readonly EventType[];

/** Of what comes from outside. */
export function isEventType(type: unknown): type is EventType {
  return typeof type === "string" && Object.hasOwn(names, type);
}
