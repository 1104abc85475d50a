// What fitted ratings have in common: a normal prior of mean 0 or, without one, mean-zero ratings; standard errors.
// Must not know what the ratings were fitted to.

import { fail } from "../errors/index.js";
import { type CholeskyFactor, choleskyOf, solve } from "./cholesky.js";

/** Of a normal prior; Infinity is none. */
export function checkPriorSd(priorSd: number): void {
  if (!(priorSd > 0)) throw fail("ATTUNE_OPTION", `Expected priorSd above 0 but received ${priorSd}.`);
}

/** Without a prior nothing tells all ratings together: their mean is held at 0. */
export function meanIsHeld(priorSd: number): boolean {
  return priorSd === Number.POSITIVE_INFINITY;
}

export function meanOf(values: ArrayLike<number>, count = values.length): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i] ?? 0;
  return sum / count;
}

/**
 * [size] square roots of the inverse Hessian's diagonal. The first `items` are ratings; where their mean is held, its own
 * variance of 1 / items is taken away again.
 */
export function standardErrorsOf(hessian: CholeskyFactor, items: number, held: boolean): Float64Array {
  return Float64Array.from({ length: hessian.size }, (_, i) => {
    const unit = new Float64Array(hessian.size);
    unit[i] = 1;
    const variance = (solve(hessian, unit)[i] ?? 0) - (held && i < items ? 1 / items : 0);
    return Math.sqrt(Math.max(0, variance));
  });
}

/** The factor of a Hessian, or why there is no optimum. */
export function factorOfRatings(matrix: Float64Array, size: number): CholeskyFactor {
  try {
    return choleskyOf(matrix, size);
  } catch (error) {
    throw noOptimum("some items are not connected, or never lose", error);
  }
}

export function noOptimum(why: string, cause?: unknown) {
  const text = `Expected ratings with an optimum but ${why}.`;
  const remedy = "Give them a prior (priorSd: 2), or rate connected items apart.";
  return fail("ATTUNE_NOT_FINITE", `${text} ${remedy}`, { cause });
}
