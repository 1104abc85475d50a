// Which rows an optimiser step sees: the order of an epoch and its cut into batches.
// Must not look at rows, only at their numbers, so that any step of any run can be found again.

import { fail } from "../errors/index.js";
import { philox, randomStreams, seedKey } from "./philox.js";

export interface EpochOrderOptions {
  readonly rowCount: number;
  /** From 0. */
  readonly epoch: number;
  /** 64 bits. */
  readonly seed: number | bigint;
  /** false: file order. */
  readonly shuffle: boolean;
  /** What is put in order; orders of different things are independent. Default "rows". */
  readonly of?: keyof typeof orderedThings;
}

/** Last words of the counter; 1 is taken by split.ts. */
const orderedThings = { rows: 0, minibatches: 2 } as const;

/**
 * Positions of all rows in the order of one epoch, [rowCount]. Shuffled: sorted by (random word of (epoch, row), row),
 * so the order of one epoch needs no other and is the same on every machine.
 */
export function epochOrder(options: EpochOrderOptions): Int32Array {
  const { rowCount, epoch, seed, shuffle, of = "rows" } = options;
  const order = Int32Array.from({ length: rowCount }, (_, row) => row);
  if (!shuffle) return order;
  const key = seedKey(seed);
  const last = orderedThings[of];
  const words = Uint32Array.from(order, (row) => philox([randomStreams.shuffle, epoch, row, last], key)[0]);
  return order.sort((a, b) => (words[a] ?? 0) - (words[b] ?? 0) || a - b);
}

export interface StepRowsOptions extends Omit<EpochOrderOptions, "epoch"> {
  /** Rows (pairs) of one optimiser step; the last step of an epoch takes what is left. */
  readonly batchSize: number;
}

export interface StepRows {
  /** Number of the step over all epochs, from 0. */
  readonly step: number;
  readonly epoch: number;
  /** Positions of the rows, [batchSize] or fewer at the end of an epoch. */
  readonly rows: Int32Array;
}

export function stepsPerEpoch(options: Pick<StepRowsOptions, "rowCount" | "batchSize">): number {
  const { rowCount, batchSize } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw fail("ATTUNE_OPTION", `Expected batchSize to be an integer >= 1 (rows) but received ${batchSize}.`);
  }
  return Math.ceil(rowCount / batchSize);
}

/**
 * Steps one after another, epoch after epoch without end: the caller stops. `from` continues at a later step, as if the
 * earlier ones had run.
 */
export function* stepRows(options: StepRowsOptions & { readonly from?: number }): Generator<StepRows> {
  const { batchSize, from = 0, ...orderOptions } = options;
  const perEpoch = stepsPerEpoch({ rowCount: options.rowCount, batchSize });
  if (perEpoch === 0) return;
  for (let epoch = Math.floor(from / perEpoch); ; epoch++) {
    const order = epochOrder({ ...orderOptions, epoch });
    for (let i = Math.max(0, from - epoch * perEpoch); i < perEpoch; i++) {
      const rows = order.slice(i * batchSize, (i + 1) * batchSize);
      yield { step: epoch * perEpoch + i, epoch, rows };
    }
  }
}
