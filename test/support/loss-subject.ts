// What a loss is held to: its rows, the model it is for, and how it is told of them. The rows are shared by all losses.
// Must not compute a loss.

import type { PackableRow } from "../../lib/data/index.js";
import type { LossSpec } from "../../lib/engine/contract.js";
import { someIds } from "./packed-rows.js";

export const LOSS_VOCABULARY = 64;
export const ROWS = 8;
export const lossRows: readonly number[] = Array.from({ length: ROWS }, (_, row) => row);

/** Answers of a row; the chosen side's lengths differ so that no two pairs have nearly equal differences. */
const lengths = (row: number) => [5 + row, 8, 4 + (row % 3), 6];

function rowsOf(completions: (row: number) => number): readonly PackableRow[] {
  return lossRows.map((row) => ({
    prompt: someIds(3 + (row % 3), 3 * row + 1, LOSS_VOCABULARY),
    completions: lengths(row)
      .slice(0, completions(row))
      .map((length, side) => someIds(length, 5 * row + side + 2, LOSS_VOCABULARY)),
  }));
}

/** What a loss is applied to, and so how batches are packed: log-probs, scores of whole completions, values of tokens. */
export type LossModel = "tokens" | "scores" | "values";

export const single = rowsOf(() => 1);
export const pair = rowsOf(() => 2);
export const list = rowsOf((row) => 3 + (row % 2));

/** Sums by row and completion. */
export type RowSums = readonly (readonly number[])[];

/** Log-probs or values of the targets by row and completion. */
export type RowTargets = readonly (readonly Float64Array[])[];

/** What a loss is told of the rows of a batch. */
export interface Columns {
  /** [groups] rows. */
  readonly rows: readonly number[];
  /** [groups] completions. */
  readonly counts: readonly number[];
  /** [groups] number of the first completion in the batch. */
  readonly firsts: readonly number[];
  /** [completions] */
  readonly reference: Float64Array;
  /** [completions] where the loss sorts. */
  readonly matches: Float64Array | undefined;
  readonly heads: number;
  readonly normaliser: number;
  /** Targets of the first completions of all rows. */
  readonly chosenTargets: number;
  /** Log-probs or values under the model, which old and reference ones are near. */
  readonly targets: RowTargets;
  /** The same under the model as it is now, where a test moves it. */
  readonly movedTargets: RowTargets;
}

export interface LossSubject {
  readonly title: string;
  readonly data: readonly PackableRow[];
  readonly model: LossModel;
  /** Of the log-probs; 1 when absent. */
  readonly temperature?: number;
  readonly sorts: "aot" | "aot_unpaired" | undefined;
  /** Holds ratios to the log-probs constant: told of those under the model as it is now. */
  readonly follows?: boolean;
  readonly make: (columns: Columns) => LossSpec;
}

export const column = ({ rows }: Columns, of: (row: number) => number) => Float64Array.from(rows, of);
export const weightOf = (row: number) => 0.5 + 0.25 * (row % 4);
