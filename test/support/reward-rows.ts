// Batches for scores: pairs of made-up ids with one target at each answer's end. Must not know losses or models.

import { type PackableRow, type PackedBatch, packRows } from "../../lib/data/index.js";
import { someIds } from "./packed-rows.js";

/** Pairs (better, worse) that share their prompt; every answer has one target, its last token. */
export function scoredPairs(count: number, promptLength = 5, completionLength = 7): PackedBatch {
  const data: PackableRow[] = Array.from({ length: count }, (_, i) => ({
    prompt: someIds(promptLength + i, 3 * i + 1),
    completions: [someIds(completionLength, 5 * i + 2), someIds(completionLength + 2, 5 * i + 3)],
  }));
  return packRows({ data, rows: data.map((_, i) => i), score: true });
}

/** Column k of [rows x heads]. */
export function columnOf(scores: ArrayLike<number>, head: number, heads: number): number[] {
  return Array.from(scores).filter((_, i) => i % heads === head);
}
