// A project's whole log as lines of JSON: a backup that any store can take in again. Must not write to the store.

import { EVENT_VERSION } from "../event.js";
import { lastSeq, readEvents } from "../store/event-log.js";
import type { Database } from "../store/tables.js";
import { LOG, LOG_VERSION, type LogHead, ownTables } from "./log-line.js";

/** Whose log is written out. */
export interface ExportLog {
  readonly reading: Database;
  readonly project: string;
  /**
   * Also what no event tells: the key of the pseudonyms, hashes of tokens, which judgements were given out. Then whoever has
   * the file can tell who is behind a pseudonym. Default false.
   */
  readonly installation?: boolean;
}

const EVENTS_AT_ONCE = 1_000;

/** Lines without their ends; up to what has happened when it begins. @throws ATTUNE_NOT_FOUND */
export async function* exportLog({
  reading,
  project,
  installation = false,
}: ExportLog): AsyncGenerator<string> {
  const seq = await lastSeq(reading, project);
  const head: LogHead = { log: LOG, version: LOG_VERSION, project, seq };
  yield JSON.stringify(head);
  for (let after = 0; after < seq; ) {
    const most = Math.min(EVENTS_AT_ONCE, seq - after);
    const events = await readEvents(reading, { project, after, most });
    for (const { project: _, ...event } of events) yield JSON.stringify({ ...event, v: EVENT_VERSION });
    after += most;
  }
  if (!installation) return;
  for (const table of ownTables) {
    const rows = await reading.selectFrom(table).selectAll().where("project", "=", project).execute();
    for (const row of rows) yield JSON.stringify({ table, row });
  }
}
