// Walks over tokenised rows in packed batches and puts what a model gives back in the order of rows.
// Must not know what is computed.

import { type PackableRows, type PackedBatch, packStep } from "../data/index.js";
import type { JobOptions } from "../engine/index.js";

export interface RowBatches<Value> extends JobOptions {
  readonly rows: PackableRows;
  /** Trunk rows of one micro-batch. Default 2048. */
  readonly microBatchTokens?: number;
  /** Pack for scores: one target behind each answer. Default false. */
  readonly score?: boolean;
  /** [completions of the batch] */
  readonly compute: (batch: PackedBatch, job: JobOptions) => Promise<readonly Value[]>;
  /** Told how many rows are done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Rows packed together: enough to fill micro-batches well, few enough to read. */
const ROWS_AT_ONCE = 256;

/** [rows][completions]; the same rows and weights give the same bits. */
export async function valuesOfRows<Value>(
  options: RowBatches<Value>,
): Promise<readonly (readonly Value[])[]> {
  const { rows, microBatchTokens = 2048, score = false, compute, signal, onProgress } = options;
  const job = signal === undefined ? {} : { signal };
  const values: (readonly Value[])[] = Array.from({ length: rows.length }, () => []);
  let done = 0;
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, rows.length - first);
    const numbers = Int32Array.from({ length: count }, (_, i) => first + i);
    for (const batch of packStep({ data: rows, rows: numbers, microBatchTokens, score })) {
      signal?.throwIfAborted();
      const found = await compute(batch, job);
      for (const [group, row] of batch.rows.entries()) {
        const from = batch.groups[2 * group] ?? 0;
        values[row] = found.slice(from, from + (batch.groups[2 * group + 1] ?? 0));
      }
      done += batch.rows.length;
      onProgress?.(done);
    }
  }
  return values;
}
