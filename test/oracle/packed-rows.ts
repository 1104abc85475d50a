// Reads a packed batch back into rows: what lay in the trunk before each completion, and what was scored.
// Must not use lib/data: it checks what that room packed.

import type { PackedBatch } from "../../lib/data/index.js";
import { at } from "../support/oracle-compare.js";

export interface PackedRow {
  /** Position of the row in the data set. */
  readonly row: number;
  readonly prompt: readonly number[];
  readonly completions: readonly (readonly number[])[];
}

/** One entry per group. A completion's tokens are its targets; its prompt is the segment that predicts the first one. */
export function packedRows(batch: PackedBatch): readonly PackedRow[] {
  return Array.from(batch.rows, (row, group) => {
    const first = at(batch.groups, 2 * group);
    const count = at(batch.groups, 2 * group + 1);
    const completions = Array.from({ length: count }, (_, i) => completionTokens(batch, first + i));
    return { row, prompt: promptOf(batch, at(batch.completions, 2 * first)), completions };
  });
}

function completionTokens({ completions, targets }: PackedBatch, completion: number): number[] {
  const first = at(completions, 2 * completion);
  const count = at(completions, 2 * completion + 1);
  return Array.from({ length: count }, (_, i) => at(targets, 2 * (first + i) + 1));
}

function promptOf({ segments, targets, tokens }: PackedBatch, target: number): number[] {
  const row = at(targets, 2 * target);
  for (let i = 0; i < segments.length; i += 3) {
    const [start, length] = [at(segments, i), at(segments, i + 1)];
    if (row >= start && row < start + length) return Array.from(tokens.subarray(start, start + length));
  }
  throw new RangeError(`no segment holds row ${row}`);
}

/** The same of a batch packed for scores: a completion is the segment that ends with its one target. */
export function scoredRows(batch: PackedBatch): readonly PackedRow[] {
  return Array.from(batch.rows, (row, group) => {
    const first = at(batch.groups, 2 * group);
    const count = at(batch.groups, 2 * group + 1);
    const parts = Array.from({ length: count }, (_, i) => scoredParts(batch, first + i));
    return { row, prompt: parts[0]?.prompt ?? [], completions: parts.map(({ own }) => own) };
  });
}

function scoredParts({ segments, targets, tokens, completions }: PackedBatch, completion: number) {
  const last = at(targets, 2 * at(completions, 2 * completion));
  const rowsOf = (segment: number): number[] => {
    const start = at(segments, 3 * segment);
    return Array.from(tokens.subarray(start, start + at(segments, 3 * segment + 1)));
  };
  for (let segment = 0; 3 * segment < segments.length; segment++) {
    const end = at(segments, 3 * segment) + at(segments, 3 * segment + 1);
    if (end === last + 1) return { own: rowsOf(segment), prompt: rowsOf(at(segments, 3 * segment + 2)) };
  }
  throw new RangeError(`no segment ends with row ${last}`);
}
