// Gives out frames and segments of answers: to whoever holds the item's lease or has judged it, by the place that it is shown
// at, and to its owner. Must not write.

import { fail } from "../../errors/index.js";
import type { Database } from "../store/tables.js";
import { SEGMENT_PART } from "./answer-content.js";
import type { Segment } from "./segment.js";

export interface Frame {
  readonly type: string;
  /** Base64. */
  readonly data: string;
}

export interface Frames {
  readonly frames: readonly Frame[];
  /** What `from` is for the rest; absent: these are the last. */
  readonly next?: number;
}

interface Reading {
  readonly reading: Database;
  readonly project: string;
}

/** One answer of an item, as it was added. */
export interface AnswerOf {
  readonly item: string;
  readonly answer: number;
}

export interface ShownTo extends Reading {
  readonly annotator: string;
  /** As shown. */
  readonly place: number;
}

/** @throws ATTUNE_NOT_FOUND, ATTUNE_LEASE for a lease that is over or somebody else's */
export async function answerOfLease(shown: ShownTo, lease: string): Promise<AnswerOf> {
  const row = await assignments(shown).where("a.assignment", "=", lease).executeTakeFirst();
  if (row === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected a lease of the project but there is no "${lease}".`);
  if (row.annotator !== shown.annotator)
    throw fail("ATTUNE_LEASE", "Expected a lease of your own but it was given to somebody else.");
  if (row.state !== "leased")
    throw fail("ATTUNE_LEASE", `Expected an open lease but this one is ${row.state}.`);
  return answerAt(row, shown.place);
}

/** @throws ATTUNE_NOT_FOUND */
export async function answerOfJudgement(shown: ShownTo, judgement: string): Promise<AnswerOf> {
  const row = await assignments(shown)
    .innerJoin("judgements as j", (join) =>
      join.onRef("j.project", "=", "a.project").onRef("j.assignment", "=", "a.assignment"),
    )
    .where("j.judgement", "=", judgement)
    .where("j.withdrawn", "=", 0)
    .where("j.annotator", "=", shown.annotator)
    .executeTakeFirst();
  if (row !== undefined) return answerAt(row, shown.place);
  throw fail("ATTUNE_NOT_FOUND", `Expected a judgement of your own but there is no "${judgement}".`);
}

function assignments({ reading, project }: Reading) {
  return reading
    .selectFrom("assignments as a")
    .select(["a.annotator", "a.state", "a.item", "a.shown"])
    .where("a.project", "=", project);
}

function answerAt(
  { item, shown }: { readonly item: string; readonly shown: string },
  place: number,
): AnswerOf {
  const answer = (JSON.parse(shown) as number[])[place];
  if (answer === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected an answer of the item but there is none at ${place}.`);
  return { item, answer };
}

/** Base64 of one call, unless a frame alone is longer. */
const CHARACTERS_AT_ONCE = 4_000_000;

/** As many as go into one call. @throws ATTUNE_NOT_FOUND */
export async function framesOf(
  { reading, project }: Reading,
  { item, answer }: AnswerOf,
  from: number,
): Promise<Frames> {
  const parts = reading
    .selectFrom("media")
    .where("project", "=", project)
    .where("item", "=", item)
    .where("answer", "=", answer)
    .where("part", ">=", Math.max(0, from))
    .orderBy("part");
  const sizes = await parts
    .select((e) => ["part", e.fn<number>("length", ["data"]).as("characters")])
    .execute();
  let [sum, count] = [0, 0];
  for (const { characters } of sizes) {
    sum += Number(characters);
    if (sum > CHARACTERS_AT_ONCE && count > 0) break;
    count += 1;
  }
  if (count === 0)
    throw fail("ATTUNE_NOT_FOUND", `Expected frames of an image or clip but there is none from ${from} on.`);
  const rows = await parts.select(["type", "data"]).limit(count).execute();
  const next = sizes[count]?.part;
  return { frames: rows, ...(next === undefined ? {} : { next: Number(next) }) };
}

/** Of a clip. @throws ATTUNE_NOT_FOUND */
export async function segmentOf({ reading, project }: Reading, { item, answer }: AnswerOf): Promise<Segment> {
  const row = await reading
    .selectFrom("media")
    .select("data")
    .where("project", "=", project)
    .where("item", "=", item)
    .where("answer", "=", answer)
    .where("part", "=", SEGMENT_PART)
    .executeTakeFirst();
  if (row !== undefined) return JSON.parse(row.data) as Segment;
  throw fail("ATTUNE_NOT_FOUND", "Expected a clip but the answer has no segment.");
}
