// Damped Newton steps to the minimum of a smooth convex function of few variables, in double precision.
// Must not know what is fitted.

import { type CholeskyFactor, dot, normOf, solve } from "./cholesky.js";

export interface ConvexProblem {
  readonly start: Float64Array;
  readonly value: (at: Float64Array) => number;
  readonly gradient: (at: Float64Array) => Float64Array;
  /** Of the Hessian, which must be positive definite; it says itself why it is not. */
  readonly factor: (at: Float64Array) => CholeskyFactor;
  readonly maxSteps: number;
}

export interface Minimum {
  readonly at: Float64Array;
  readonly steps: number;
  /** Of the Hessian, one step before `at` at most. */
  readonly hessian: CholeskyFactor;
  /** False after maxSteps: the function falls without end, or only just. */
  readonly ended: boolean;
}

/** The root of the decrease that a step promises; below this only rounding is left. */
const CONVERGED = 1e-13;
/** Steps converge quadratically: after one as small as this, what is left is rounding. */
const LAST_STEP = 1e-8;
const HALVINGS = 60;

/** The minimum, to rounding. */
export function minimise(problem: ConvexProblem): Minimum {
  let at = problem.start;
  let value = problem.value(at);
  for (let steps = 0; ; steps++) {
    const hessian = problem.factor(at);
    if (steps > problem.maxSteps) return { at, steps, hessian, ended: false };
    const gradient = problem.gradient(at);
    const step = solve(hessian, gradient);
    // The decrease that the step promises is at most rounding: nothing is left to gain.
    const decrement = dot(step, 0, gradient, 0, step.length);
    const next = decrement <= CONVERGED ** 2 ? undefined : shorter(problem, { at, value, step, decrement });
    if (next === undefined) return { at, steps, hessian, ended: true };
    if (normOf(step) <= LAST_STEP * (1 + normOf(at))) return { at: next.at, steps, hessian, ended: true };
    ({ at, value } = next);
  }
}

interface NewtonStep {
  readonly at: Float64Array;
  readonly value: number;
  readonly step: Float64Array;
  readonly decrement: number;
}

/** Halves the step until the function falls as it should; undefined when only rounding is left. */
function shorter(problem: ConvexProblem, { at, value, step, decrement }: NewtonStep) {
  let share = 1;
  for (let halving = 0; halving < HALVINGS; halving++, share /= 2) {
    const next = at.map((entry, i) => entry - share * (step[i] ?? 0));
    const reached = problem.value(next);
    if (reached <= value - 1e-4 * share * decrement + 4 * Number.EPSILON * Math.abs(value))
      return { at: next, value: reached };
  }
  return undefined;
}
