// Adds what a chunk counted to the counts of the whole, as if its rows had been read here one by one.
// Must not read or tokenise.

import { type RowCounts, tolerate } from "./row-counts.js";
import type { ChunkResult } from "./tokenise-chunk.js";

/** Throws the first error in row order: a bad row beyond `skipBadRows`, or one that no skipping helps. */
export function countChunk(counts: RowCounts, result: ChunkResult, skipBadRows: number): void {
  for (const { error, counts: before } of result.bad) {
    const soFar = sumOf(counts, before);
    tolerate({ error, counts: soFar, skipBadRows });
    counts.bad = soFar.bad;
  }
  if (result.failure !== undefined) throw result.failure.error;
  Object.assign(counts, sumOf(counts, result.counts));
}

/** Counts of two runs of rows together; the messages are the first one's list itself. */
function sumOf(first: RowCounts, second: RowCounts): RowCounts {
  const sum: Record<string, unknown> = { ...first };
  for (const [name, value] of Object.entries(second)) {
    const other = sum[name];
    if (typeof value === "number" && typeof other === "number") sum[name] = value + other;
  }
  const dropped: Record<string, number> = { ...first.dropped };
  for (const [reason, count] of Object.entries(second.dropped)) {
    dropped[reason] = (dropped[reason] ?? 0) + count;
  }
  return { ...(sum as unknown as RowCounts), dropped };
}
