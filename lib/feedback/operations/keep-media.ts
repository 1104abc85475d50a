// Keeps the frames and segments of an item's answers beside the log, and drops them. No event carries them: what follows the
// log stays quick. Must not decide who may see them.

import { fail } from "../../errors/index.js";
import { partTypes } from "../media/answer-content.js";
import type { MediaPart } from "../media/take-media.js";
import type { OperationContext } from "./context.js";

/** A statement holds so many characters and somewhat more. */
const CHARACTERS_AT_ONCE = 4_000_000;
const ROWS_AT_ONCE = 100;

export interface ItemMedia {
  readonly item: string;
  readonly parts: readonly MediaPart[];
}

/** What is there already stays as it is. */
export async function keepMedia(
  { writing, project }: OperationContext,
  { item, parts }: ItemMedia,
): Promise<void> {
  for (const some of inPieces(parts))
    await writing
      .insertInto("media")
      .values(some.map((part) => ({ project, item, ...part })))
      .onConflict((conflict) => conflict.columns(["project", "item", "answer", "part"]).doNothing())
      .execute();
}

export async function dropMedia({ writing, project }: OperationContext, item: string): Promise<void> {
  await writing.deleteFrom("media").where("project", "=", project).where("item", "=", item).execute();
}

/** Of a log that is restored. @throws ATTUNE_DATA for what no answer holds */
export async function restoreMedia(
  context: OperationContext,
  { media }: { readonly media: readonly ItemMedia[] },
): Promise<void> {
  for (const { item, parts } of media) {
    const bad = parts.find(({ type }) => !partTypes.includes(type));
    if (bad !== undefined)
      throw fail("ATTUNE_DATA", `Expected an image or a segment but received ${JSON.stringify(bad.type)}.`);
    await keepMedia(context, { item, parts });
  }
}

function* inPieces(parts: readonly MediaPart[]): Generator<readonly MediaPart[]> {
  let [piece, size]: [MediaPart[], number] = [[], 0];
  for (const part of parts) {
    const full = piece.length >= ROWS_AT_ONCE || size + part.data.length > CHARACTERS_AT_ONCE;
    if (piece.length > 0 && full) {
      yield piece;
      [piece, size] = [[], 0];
    }
    piece.push(part);
    size += part.data.length;
  }
  if (piece.length > 0) yield piece;
}
