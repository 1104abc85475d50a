// Ratings of several axes on one scale: the mean and spread of each axis over the rows that are trained on.
// Must not know losses.

import { selectRows, type TokenisedRow, type TokenisedRows } from "../data/index.js";
import { fail } from "../errors/index.js";
import { badRow } from "./reward-rows.js";

/** Of one axis; a score s stands for the rating mean + std s. */
export interface RatingScale {
  readonly mean: number;
  readonly std: number;
  /** Rows it was formed over. */
  readonly count: number;
}

/** By the axis' name; rows that name none share "". */
export type RatingScales = ReadonlyMap<string, RatingScale>;

export function axisOf({ axis = "" }: TokenisedRow): string {
  return axis;
}

/**
 * Population mean and standard deviation of every axis, in two passes in double precision.
 * @throws ATTUNE_DATA where an axis has nothing but equal ratings, or such that their squares overflow
 */
export function ratingScales(rows: TokenisedRows): RatingScales {
  const sums = new Map<string, { sum: number; squares: number; count: number; first: TokenisedRow }>();
  forRatings(rows, (row, rating) => {
    const entry = sums.get(axisOf(row)) ?? { sum: 0, squares: 0, count: 0, first: row };
    entry.sum += rating;
    entry.count += 1;
    sums.set(axisOf(row), entry);
  });
  forRatings(rows, (row, rating) => {
    const entry = sums.get(axisOf(row));
    if (entry !== undefined) entry.squares += (rating - entry.sum / entry.count) ** 2;
  });
  const scales = new Map<string, RatingScale>();
  for (const [axis, { sum, squares, count, first }] of sums) {
    const std = Math.sqrt(squares / count);
    const name = axis === "" ? "" : ` of axis ${JSON.stringify(axis)}`;
    if (!Number.isFinite(std)) {
      const text = `expected ratings${name} whose spread is a number but they are too large to compute with.`;
      throw badRow(first, `${text} Give them on a smaller scale.`);
    }
    if (!(std > 0))
      throw badRow(
        first,
        `expected ratings${name} that differ but all ${count} are ${sum / count}: nothing can be learned from them.`,
      );
    scales.set(axis, { mean: sum / count, std, count });
  }
  return scales;
}

function forRatings(rows: TokenisedRows, take: (row: TokenisedRow, rating: number) => void): void {
  for (let position = 0; position < rows.length; position++) {
    const row = rows.at(position);
    if (row?.rating !== undefined) take(row, row.rating);
  }
}

/** The rating in units of its axis' spread. Throws ATTUNE_DATA for an axis that was not trained on. */
export function standardised(row: TokenisedRow, scales: RatingScales): number {
  const scale = scales.get(axisOf(row));
  if (scale !== undefined) return ((row.rating ?? Number.NaN) - scale.mean) / scale.std;
  const known = [...scales.keys()].map((axis) => JSON.stringify(axis)).join(", ");
  throw badRow(
    row,
    `expected an axis of the training rows (${known}) but found ${JSON.stringify(axisOf(row))}.`,
  );
}

/**
 * The rows of the axes asked for.
 * @throws ATTUNE_OPTION where an axis has no row
 */
export function rowsOfAxes(rows: TokenisedRows, axes: readonly string[]): TokenisedRows {
  const found = new Set<string>();
  const positions: number[] = [];
  for (let position = 0; position < rows.length; position++) {
    const row = rows.at(position);
    if (row === undefined) continue;
    found.add(axisOf(row));
    if (axes.includes(axisOf(row))) positions.push(position);
  }
  const missing = axes.find((axis) => !found.has(axis));
  if (missing === undefined) return selectRows(rows, Int32Array.from(positions));
  const names = [...found].map((axis) => JSON.stringify(axis)).join(", ");
  const text = `Expected ratings of axis ${JSON.stringify(missing)} but the rows have ${names}.`;
  throw fail("ATTUNE_OPTION", `${text} Name one of these.`, { details: { option: "axis" } });
}
