// Columns of the rows in a batch, in the form the losses take them. Pure.

import type { PackedBatch, TokenisedRows } from "../data/index.js";

/** Targets of all micro-batches of a step. */
export function targetsOf(batches: readonly PackedBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.counts.targets, 0);
}

/** [groups] weight of each row. */
export function rowWeights(data: TokenisedRows, batch: PackedBatch): Float64Array {
  return Float64Array.from(batch.rows, (row) => data.at(row)?.weight ?? 1);
}

/** [groups] P(chosen is better) of each pair. */
export function pairLabels(data: TokenisedRows, batch: PackedBatch): Float64Array {
  return Float64Array.from(batch.rows, (row) => data.at(row)?.label ?? 1);
}

/** [completions] rank of each answer, 1 best. */
export function completionRanks(data: TokenisedRows, batch: PackedBatch): Int32Array {
  return Int32Array.from([...batch.rows].flatMap((row) => data.at(row)?.ranks ?? []));
}

/** [groups] answers of each ranking that have a place, 0 = all; undefined where all have one everywhere. */
export function placedCounts(data: TokenisedRows, batch: PackedBatch): Int32Array | undefined {
  const counts = Int32Array.from(batch.rows, (row) => data.at(row)?.placed ?? 0);
  return counts.some((count) => count > 0) ? counts : undefined;
}
