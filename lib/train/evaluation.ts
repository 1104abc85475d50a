// Measures rows that are not trained on: the loss and sums of training, without gradients. Must not know an algorithm.

import { type PackedBatch, packStep, sizeOfRow, type TokenisedRows } from "../data/index.js";
import type { JobOptions, LossSpec, StepResult, TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";

/** Rows packed together: many enough to fill micro-batches, few enough to be planned at once. */
const partRows = 64;

/** Positions of all rows in file order, in parts. */
export function* evaluationParts(rows: TokenisedRows): Generator<Int32Array> {
  for (let first = 0; first < rows.length; first += partRows) {
    const count = Math.min(partRows, rows.length - first);
    yield Int32Array.from({ length: count }, (_, i) => first + i);
  }
}

/** Targets of all rows: what a loss over tokens is divided by. */
export function targetsOfAll(rows: TokenisedRows): number {
  let targets = 0;
  for (let position = 0; position < rows.length; position++)
    targets += sizeOfRow(rows, position)?.targets ?? 0;
  return targets;
}

export interface EvaluateRows {
  readonly model: TrainableModel;
  readonly rows: TokenisedRows;
  readonly microBatchTokens: number;
  /** Pack for scores. Default false: for log-probs. */
  readonly score?: boolean;
  /** Rows of one prompt share its segment. Default false. */
  readonly sharePrompts?: boolean;
  readonly job: JobOptions;
  /** The loss of a batch, divided by the count over all rows. */
  readonly lossOf: (batch: PackedBatch) => Promise<LossSpec>;
  /** Takes in what a batch gave. */
  readonly add: (batch: PackedBatch, loss: LossSpec, result: StepResult) => void;
}

/**
 * Runs over all rows in file order; the same rows and weights give the same bits.
 * @throws ATTUNE_NOT_FINITE when a loss is NaN or infinite
 */
export async function evaluateRows(request: EvaluateRows): Promise<void> {
  const {
    model,
    rows: data,
    microBatchTokens,
    score = false,
    sharePrompts = false,
    job,
    lossOf,
    add,
  } = request;
  for (const rows of evaluationParts(data)) {
    for (const batch of packStep({ data, rows, microBatchTokens, score, sharePrompts })) {
      const loss = await lossOf(batch);
      const result = await model.evaluate(batch, loss, job);
      if (!Number.isFinite(result.loss)) throw notFiniteRow(data, batch, result);
      add(batch, loss, result);
    }
  }
}

function notFiniteRow(data: TokenisedRows, batch: PackedBatch, { loss, groupLosses }: StepResult) {
  const wrong = [...batch.rows].filter((_, group) => !Number.isFinite(groupLosses[group]));
  const places = wrong.flatMap((row) => data.at(row)?.place ?? []);
  const names = places.slice(0, 8).map(({ file, line }) => `${file}:${line}`);
  const text = `The evaluation loss is ${loss}, from ${names.join(", ") || "rows that are fine alone"}. Look at these rows.`;
  return fail("ATTUNE_NOT_FINITE", text, { details: { rows: places } });
}

/** Keys of training behind `eval_`; counts of tokens stay with training. */
export function evaluationKeys(metrics: Readonly<Record<string, number>>): Record<`eval_${string}`, number> {
  const entries = Object.entries(metrics).filter(([key]) => key !== "tokens" && key !== "tokens_computed");
  return Object.fromEntries(entries.map(([key, value]) => [`eval_${key}`, value]));
}
