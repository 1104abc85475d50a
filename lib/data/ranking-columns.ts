// Reads the columns of rows with several answers to one prompt: rankings, best of K and steps.
// Must not know tokens: answers that only become the same ids are dropped later, and counted.

import { sameIds } from "./fit-length.js";
import type { RowColumns } from "./row-columns.js";
import type { Content } from "./rows.js";

/** The answers of a stepwise, ranking or best-of row and what it says about them, as fields of the row. */
export function severalAnswers(row: RowColumns, type: "stepwise" | "ranking" | "best-of"): object {
  const completions = row.contents("completions", type === "stepwise" ? 1 : 2);
  if (type === "stepwise") return { completions, labels: stepLabels(row, completions) };
  requireDifferent(row, completions);
  const { length } = completions;
  if (type === "ranking") return { completions, ...placesOf(row, length) };
  const best = row.number("best", { min: 0, max: length - 1, whole: true });
  return { completions, ranks: completions.map((_, i) => (i === best ? 1 : 2)), placed: 1 };
}

function stepLabels(row: RowColumns, completions: readonly Content[]): readonly boolean[] {
  if (completions.some((step) => typeof step !== "string" && !(step instanceof Int32Array))) {
    const expected = 'text or token ids as steps in column "completions"';
    const found = "messages: a turn is not a part of an answer";
    throw row.bad("ATTUNE_DATA_COLUMN", expected, found, "completions");
  }
  const isBoolean = (item: unknown): item is boolean => typeof item === "boolean";
  return row.list("labels", { length: completions.length, of: "true or false", is: isBoolean });
}

/** An answer that stands there twice would compete with itself. */
function requireDifferent(row: RowColumns, completions: readonly Content[]): void {
  for (const [i, completion] of completions.entries()) {
    const first = completions.findIndex((other) => sameContent(other, completion));
    if (first === i) continue;
    const found = `items ${first} and ${i} the same`;
    throw row.bad("ATTUNE_DATA", 'different answers in column "completions"', found, "completions");
  }
}

/** The same text, ids or messages. */
export function sameContent(a: Content, b: Content): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  if (a instanceof Int32Array || b instanceof Int32Array)
    return a instanceof Int32Array && b instanceof Int32Array && sameIds(a, b);
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Ranks from 1 (best); `null` is an answer without a place, below all that have one. */
function placesOf(row: RowColumns, length: number) {
  const isRank = (item: unknown): item is number | null =>
    item === null || (Number.isInteger(item) && (item as number) >= 1);
  const of = "integers >= 1 (1 best), or null for no place,";
  const ranks = row.list("ranks", { length, of, is: isRank });
  const given = ranks.filter((rank) => rank !== null);
  requireNoGap(row, given);
  if (given.length === length) return { ranks: given };
  const behind = Math.max(...given) + 1;
  return { ranks: ranks.map((rank) => rank ?? behind), placed: given.length };
}

/** After n answers comes rank n + 1 or, counting ties once, a smaller one; a gap means that an answer is missing. */
function requireNoGap(row: RowColumns, given: readonly number[]): void {
  const sorted = given.toSorted((a, b) => a - b);
  const expected = 'ranks without a gap, from 1, in column "ranks"';
  if (sorted.length === 0) throw row.bad("ATTUNE_DATA", expected, "no place at all (only null)", "ranks");
  for (const [before, rank] of sorted.entries()) {
    const last = sorted[before - 1] ?? 0;
    if (rank === last || rank <= before + 1) continue;
    const found = `rank ${rank} with ${before} better ${before === 1 ? "answer" : "answers"}`;
    const advice = ". Is an answer missing? Number the ranks of those that are there from 1";
    throw row.bad("ATTUNE_DATA", expected, found + advice, "ranks");
  }
}
