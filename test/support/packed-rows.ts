// Packed batches of made-up token ids, for tests of the engine. Must not know losses or models.

import { type PackableRow, type PackedBatch, packRows } from "../../lib/data/index.js";

/** Ids below `vocabulary`, the same for the same seed. */
export function someIds(length: number, seed: number, vocabulary = 256): Int32Array {
  return Int32Array.from({ length }, (_, i) => ((i + 1) * (seed * 2 + 7) * 31 + seed * 101) % vocabulary);
}

/** Rows of one completion each: a demonstration batch. */
export function demonstrations(count: number, promptLength = 5, completionLength = 7): PackedBatch {
  const data: PackableRow[] = Array.from({ length: count }, (_, i) => ({
    prompt: someIds(promptLength + i, 3 * i + 1),
    completions: [someIds(completionLength + (i % 3), 5 * i + 2)],
  }));
  return packRows({ data, rows: data.map((_, i) => i) });
}

/** Rows of two completions each: a pair batch. */
export function pairs(count: number, promptLength = 5, completionLength = 7): PackedBatch {
  const data: PackableRow[] = Array.from({ length: count }, (_, i) => ({
    prompt: someIds(promptLength + i, 3 * i + 1),
    completions: [someIds(completionLength, 5 * i + 2), someIds(completionLength + 2, 5 * i + 3)],
  }));
  return packRows({ data, rows: data.map((_, i) => i) });
}
