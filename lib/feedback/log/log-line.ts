// The lines of a project's log as a file: a head, one event after another, and what belongs to the installation. Pure.

import { parseRaw, type RawRow } from "../../data/index.js";
import { fail } from "../../errors/index.js";
import { EVENT_VERSION, type FeedbackEvent } from "../event.js";
import { isEventType } from "../event-types.js";
import { partTypes } from "../media/answer-content.js";
import type { MediaPart } from "../media/take-media.js";
import type { FeedbackTables } from "../store/tables.js";

export const LOG = "attune-feedback";
export const LOG_VERSION = 1;

export interface LogHead {
  readonly log: typeof LOG;
  readonly version: number;
  readonly project: string;
  /** Of the last event: a file that has fewer was cut off. */
  readonly seq: number;
}

/** Tables of an installation that go along where somebody wants them. */
export const ownTables = ["secrets", "tokens", "exports"] as const;
export type OwnTable = (typeof ownTables)[number];

/** A part of an answer of the item whose event stands before it. */
export type LogMedia = MediaPart & { readonly item: string };

export type LogLine =
  | { readonly head: LogHead }
  | { readonly media: LogMedia }
  | { readonly event: Omit<FeedbackEvent, "project"> }
  | { readonly table: OwnTable; readonly row: FeedbackTables[OwnTable] };

/** @throws ATTUNE_DATA_JSON, ATTUNE_DATA with the line, ATTUNE_STORE for what a newer version has written */
export function readLogLine(raw: RawRow): LogLine {
  const value = parseRaw(raw);
  const { file, line } = raw.place;
  const bad = (expected: string) =>
    fail("ATTUNE_DATA", `${file}:${line}: expected ${expected} of a log of attune's feedback.`, {
      details: { file, line },
    });
  if (typeof value !== "object" || value === null) throw bad("an object");
  const held = value as Record<string, unknown>;
  if (held.log === LOG) {
    const sound = typeof held.project === "string" && Number.isInteger(held.seq);
    if (!sound) throw bad("project and seq in the first line");
    checkVersion(held.version, LOG_VERSION);
    return { head: held as unknown as LogHead };
  }
  const table = ownTables.find((name) => name === held.table);
  if (table !== undefined && typeof held.row === "object" && held.row !== null)
    return { table, row: held.row as FeedbackTables[OwnTable] };
  if (held.media !== undefined) {
    const media = readMedia(held.media);
    if (media === undefined) throw bad("a frame or segment");
    return { media };
  }
  if (!isEventType(held.type)) throw bad("an event");
  checkVersion(held.v, EVENT_VERSION);
  const sound =
    Number.isInteger(held.seq) &&
    Number.isInteger(held.time) &&
    typeof held.id === "string" &&
    typeof held.actor === "string" &&
    typeof held.body === "object" &&
    held.body !== null;
  if (!sound) throw bad("seq, time, id, actor and body of an event");
  const { seq, id, time, type, actor, body } = held;
  return { event: { seq, id, time, type, actor, body } as Omit<FeedbackEvent, "project"> };
}

function readMedia(given: unknown): LogMedia | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { item, answer, part, type, data } = given as Record<string, unknown>;
  const sound =
    typeof item === "string" &&
    Number.isInteger(answer) &&
    Number.isInteger(part) &&
    typeof type === "string" &&
    partTypes.includes(type) &&
    typeof data === "string";
  return sound ? ({ item, answer, part, type, data } as LogMedia) : undefined;
}

function checkVersion(version: unknown, newest: number): void {
  if (typeof version === "number" && version <= newest) return;
  throw fail(
    "ATTUNE_STORE",
    "Expected a log of this version but a newer attune has written it. Update attune.",
  );
}
