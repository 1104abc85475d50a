// Reads the log piece by piece, as much at once as fits a size: whoever reads slowly holds no more than that.
// Must not change anything.

import { sql } from "kysely";
import type { FeedbackEvent } from "../event.js";
import { readEvents } from "./event-log.js";
import type { Database } from "./tables.js";

/** Which piece of a log is read, and how large it may be. */
export interface ReadChunk {
  readonly project: string;
  /** Events behind this `seq`. */
  readonly after: number;
  /** Of the bodies; one event comes in any case. */
  readonly mostBytes: number;
}

/** Events of small bodies. */
const MOST_EVENTS = 500;

/** The next events behind a number, up to a size; at least one where there is one. */
export async function readChunk(
  database: Database,
  { project, after, mostBytes }: ReadChunk,
): Promise<readonly FeedbackEvent[]> {
  const sizes = await database
    .selectFrom("events")
    .select(["seq", sql<number>`octet_length(body)`.as("bytes")])
    .where("project", "=", project)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(MOST_EVENTS)
    .execute();
  let sum = 0;
  let most = 0;
  for (const { bytes } of sizes) {
    sum += Number(bytes);
    if (sum > mostBytes && most > 0) break;
    most += 1;
  }
  return most === 0 ? [] : readEvents(database, { project, after, most });
}
