// Frames and segments on their way out of a store, behind the events that name them. Must not write.

import type { FeedbackEvent } from "../event.js";
import { partsOf } from "../media/answer-content.js";
import { readEvents } from "../store/event-log.js";
import type { Database } from "../store/tables.js";
import type { LogMedia } from "./log-line.js";

/** How many an event names. */
export function mediaOf(event: Pick<FeedbackEvent, "type" | "body">): number {
  if (event.type !== "item.added") return 0;
  const { answers } = event.body as FeedbackEvent<"item.added">["body"];
  return answers.reduce((sum, { content }) => sum + partsOf(content), 0);
}

export interface EventWithMedia {
  readonly event: FeedbackEvent;
  readonly media: readonly LogMedia[];
}

/** An event that names some, as it is now: what was redacted since it was read has none, and does not name them either. */
export async function withMedia(reading: Database, event: FeedbackEvent): Promise<EventWithMedia> {
  const wanted = mediaOf(event);
  if (wanted === 0 || event.type !== "item.added") return { event, media: [] };
  const { project, seq } = event;
  const { item } = event.body;
  const media = await reading
    .selectFrom("media")
    .select(["item", "answer", "part", "type", "data"])
    .where("project", "=", project)
    .where("item", "=", item)
    .orderBy("answer")
    .orderBy("part")
    .execute();
  if (media.length === wanted) return { event, media };
  const [now = event] = await readEvents(reading, { project, after: seq - 1, most: 1 });
  return { event: now, media: [] };
}
