// Cholesky factors of symmetric positive definite matrices in double precision: M = L L'.
// Plain arrays, row after row; must not know what the matrix stands for.

import { fail } from "../errors/index.js";

/** The lower factor of a matrix of `size` rows; entries above the diagonal are 0. */
export interface CholeskyFactor {
  readonly size: number;
  /** [size x size] */
  readonly lower: Float64Array;
}

/**
 * Factors M, of which the lower half is read.
 * @throws ATTUNE_NOT_FINITE when it is not positive definite, naming the row
 */
export function choleskyOf(matrix: Float64Array, size: number): CholeskyFactor {
  requireLength("matrix", matrix.length, size * size);
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    const start = row * size;
    for (let column = 0; column <= row; column++) {
      const other = column * size;
      const rest = (matrix[start + column] ?? 0) - dot(lower, start, lower, other, column);
      if (column < row) {
        lower[start + column] = rest / (lower[other + column] ?? 0);
        continue;
      }
      if (!(rest > 0) || !Number.isFinite(rest)) throw notDefinite(row, rest);
      lower[start + row] = Math.sqrt(rest);
    }
  }
  return { size, lower };
}

/** x of L x = b. */
export function solveLower({ size, lower }: CholeskyFactor, b: Float64Array): Float64Array {
  requireLength("right side", b.length, size);
  const x = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    const start = row * size;
    x[row] = ((b[row] ?? 0) - dot(lower, start, x, 0, row)) / (lower[start + row] ?? 0);
  }
  return x;
}

/** x of L L' x = b. */
export function solve(factor: CholeskyFactor, b: Float64Array): Float64Array {
  const { size, lower } = factor;
  const x = solveLower(factor, b);
  for (let row = size - 1; row >= 0; row--) {
    const start = row * size;
    const value = (x[row] ?? 0) / (lower[start + row] ?? 0);
    x[row] = value;
    // Row by row, so that memory is walked through in order.
    for (let column = 0; column < row; column++)
      x[column] = (x[column] ?? 0) - value * (lower[start + column] ?? 0);
  }
  return x;
}

/** L' v: its length is the norm of v under M, sqrt(v' M v). */
export function multiplyTransposed({ size, lower }: CholeskyFactor, v: Float64Array): Float64Array {
  requireLength("vector", v.length, size);
  const product = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    const value = v[row] ?? 0;
    const start = row * size;
    for (let column = 0; column <= row; column++)
      product[column] = (product[column] ?? 0) + value * (lower[start + column] ?? 0);
  }
  return product;
}

/** The factor of M + v v', by Givens rotations: size^2 steps in place of a new factor's size^3 / 6. */
export function addOuterProduct({ size, lower }: CholeskyFactor, v: Float64Array): CholeskyFactor {
  requireLength("vector", v.length, size);
  const next = lower.slice();
  const rest = v.slice();
  for (let column = 0; column < size; column++) {
    const diagonal = next[column * size + column] ?? 0;
    const value = rest[column] ?? 0;
    const length = Math.hypot(diagonal, value);
    const [cosine, sine] = [length / diagonal, value / diagonal];
    next[column * size + column] = length;
    for (let row = column + 1; row < size; row++) {
      const at = row * size + column;
      const entry = ((next[at] ?? 0) + sine * (rest[row] ?? 0)) / cosine;
      rest[row] = cosine * (rest[row] ?? 0) - sine * entry;
      next[at] = entry;
    }
  }
  return { size, lower: next };
}

/** Sum of a[from + i] b[other + i] over i < count. Four sums, so that additions need not wait for each other. */
export function dot(a: Float64Array, from: number, b: Float64Array, other: number, count: number): number {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < count; i += 4) {
    sum0 += (a[from + i] ?? 0) * (b[other + i] ?? 0);
    sum1 += (a[from + i + 1] ?? 0) * (b[other + i + 1] ?? 0);
    sum2 += (a[from + i + 2] ?? 0) * (b[other + i + 2] ?? 0);
    sum3 += (a[from + i + 3] ?? 0) * (b[other + i + 3] ?? 0);
  }
  for (; i < count; i++) sum0 += (a[from + i] ?? 0) * (b[other + i] ?? 0);
  return sum0 + sum1 + (sum2 + sum3);
}

/** L2 norm. */
export function normOf(v: Float64Array): number {
  return Math.sqrt(dot(v, 0, v, 0, v.length));
}

function notDefinite(row: number, rest: number) {
  const text = `Expected a positive definite matrix but pivot ${row} is ${rest}.`;
  return fail(
    "ATTUNE_NOT_FINITE",
    `${text} Raise lambda or ridge above 0, or look for features that are not finite.`,
  );
}

function requireLength(name: string, found: number, expected: number): void {
  if (found !== expected)
    throw fail("ATTUNE_SHAPE", `${name}: expected ${expected} numbers but got ${found}.`);
}
