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
