// Looks for rankings whose ties a loss could not sum over: of g tied answers it takes all 2^g subsets.
// Must not know which losses do.

import type { TokenisedRow } from "../data/index.js";
import { type AttuneError, fail } from "../errors/index.js";

/** Most answers of one rank where a loss sums over their orders. Mirrors native/loss/listwise_formula.h. */
export const MOST_SUMMED_TIES = 12;

/** Whether a treatment of ties sums over the orders of tied answers. */
export function sumsOverOrders(ties: string | undefined): ties is "average" | "marginal" {
  return ties === "average" || ties === "marginal";
}

/** The error for a row with more answers of one rank than can be summed over; answers without a place are not tied. */
export function tooManyTied(row: TokenisedRow, ties: "average" | "marginal"): AttuneError | undefined {
  const { ranks = [], placed, place } = row;
  const behind = placed === undefined ? Number.POSITIVE_INFINITY : Math.max(...ranks);
  const tied = new Map<number, number>();
  for (const rank of ranks) if (rank < behind) tied.set(rank, (tied.get(rank) ?? 0) + 1);
  for (const [rank, count] of tied) {
    if (count <= MOST_SUMMED_TIES) continue;
    const expected = `at most ${MOST_SUMMED_TIES} answers of one rank in column "ranks", as ties ${ties} sums over their orders,`;
    const text = `${place.file}:${place.line}: expected ${expected} but found ${count} of rank ${rank}. Use ties breslow.`;
    return fail("ATTUNE_DATA", text, { details: { ...place, column: "ranks" } });
  }
  return undefined;
}
