// The form of the files below loss/, as README.md there defines it, and the tolerances it states.
// Must not import the library.

import type { Tolerance } from "../support/oracle-compare.js";

export interface LossCase {
  readonly case: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly [result: string]: unknown;
}

export interface LossFile {
  readonly name: string;
  readonly inputs: unknown;
  readonly expected: readonly LossCase[] | Readonly<Record<string, unknown>>;
}

/** Losses, rewards, statistics. */
export const valueTolerance: Tolerance = { relative: 1e-5, absolute: 1e-6 };
/** Of losses whose values reach 1000. */
export const wideTolerance: Tolerance = { relative: 1e-5, absolute: 1e-5 };
export const gradientTolerance: Tolerance = { relative: 2e-5, absolute: 1e-6 };
/** Log-probs, log-sum-exp, entropy and KL on logits. */
export const headTolerance: Tolerance = { relative: 1e-5, absolute: 2e-5 };

export function numberOf(one: LossCase, name: string): number {
  const value = one[name];
  if (typeof value !== "number") throw new Error(`${one.case} has no number ${name}`);
  return value;
}

export function numbersOf(one: LossCase, name: string): readonly number[] {
  const value = one[name];
  if (!Array.isArray(value)) throw new Error(`${one.case} has no list ${name}`);
  return value.flat(2) as number[];
}

export function parameterOf(one: LossCase, name: string, otherwise?: number): number {
  const value = one.params[name] ?? otherwise;
  if (typeof value !== "number") throw new Error(`${one.case} has no parameter ${name}`);
  return value;
}
