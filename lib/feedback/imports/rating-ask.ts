// The question behind a rating that was read from a file. Pure.

import type { RowColumns } from "../../data/index.js";
import type { Ask } from "../judgement.js";

export interface RatingOf {
  readonly axis: string;
  readonly value: number;
  readonly scale: readonly [number, number];
}

/** @throws ATTUNE_DATA_COLUMN for a rating outside the scale */
export function ratingAsk(row: RowColumns, { axis, value, scale }: RatingOf): Ask {
  const [low, high] = scale;
  if (value < low || value > high) {
    const advice = ". Name the scale: --rating-scale";
    const expected = `a rating of "${axis}" from ${low} to ${high}`;
    throw row.bad("ATTUNE_DATA_COLUMN", expected, `${value}${advice}`, "rating");
  }
  // Steps are not in the file; a number with a fraction says that they are small.
  return { kind: "rating", axis, low, high, step: Number.isInteger(value - low) ? 1 : 1e-6 };
}
