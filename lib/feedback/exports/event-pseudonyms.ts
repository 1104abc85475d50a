// Events for whoever trains: people stand there under the pseudonyms that rows have, and without their names.
// Must not read the store.

import type { FeedbackEvent } from "../event.js";

/** Who does what no person does. */
const programs: ReadonlySet<string> = new Set(["owner", "trainer", "service", "import", "capture"]);

/** The same event, with nothing in it by which a person could be known. */
export function pseudonymousEvent(
  event: FeedbackEvent,
  pseudonym: (annotator: string) => string,
): FeedbackEvent {
  const actor = programs.has(event.actor) ? event.actor : pseudonym(event.actor);
  const body: Record<string, unknown> = { ...event.body };
  if (typeof body.annotator === "string") {
    body.annotator = pseudonym(body.annotator);
    if (event.type === "annotator.added" || event.type === "annotator.changed") body.name = body.annotator;
  }
  if (event.type === "weights.fitted")
    body.reliability = Object.fromEntries(
      Object.entries(event.body.reliability).map(([annotator, share]) => [pseudonym(annotator), share]),
    );
  return { ...event, actor, body } as unknown as FeedbackEvent;
}
