import { expect } from "chai";
import {
  addOuterProduct,
  type CholeskyFactor,
  choleskyOf,
  multiplyTransposed,
  solve,
  solveLower,
} from "../../lib/preference/cholesky.js";
import { GramSum } from "../../lib/preference/gram.js";
import { expectFailure } from "../errors/expect-failure.js";
import { maxAbsolute } from "../support/oracle-compare.js";
import { testNumbers } from "./words.js";

const size = 7;

/** A matrix with eigenvalues of 1 and more. */
function definite(seed: number): Float64Array {
  const sum = new GramSum(size);
  for (let row = 0; row < 20; row++) sum.add(testNumbers(seed + row, size));
  return sum.matrix({ diagonal: 1 });
}

/** L L' */
function product({ lower }: CholeskyFactor): Float64Array {
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [row, column] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let i = 0; i < size; i++) sum += (lower[row * size + i] ?? 0) * (lower[column * size + i] ?? 0);
    return sum;
  });
}

function times(matrix: Float64Array, v: Float64Array): Float64Array {
  return v.map((_, row) => v.reduce((sum, value, i) => sum + (matrix[row * size + i] ?? 0) * value, 0));
}

describe("Cholesky factors", () => {
  const matrix = definite(1);
  const factor = choleskyOf(matrix, size);
  const v = testNumbers(99, size);

  it("multiply to the matrix", () => {
    expect(maxAbsolute(product(factor), matrix)).to.be.below(1e-13);
  });

  it("solve the system", () => {
    expect(maxAbsolute(times(matrix, solve(factor, v)), v)).to.be.below(1e-13);
  });

  it("give norms under the matrix and under its inverse", () => {
    const squared = (u: Float64Array) => u.reduce((sum, value) => sum + value * value, 0);
    const under = (m: (u: Float64Array) => Float64Array) =>
      m(v).reduce((sum, value, i) => sum + value * (v[i] ?? 0), 0);
    expect(squared(multiplyTransposed(factor, v))).to.be.closeTo(
      under((u) => times(matrix, u)),
      1e-12,
    );
    expect(squared(solveLower(factor, v))).to.be.closeTo(
      under((u) => solve(factor, u)),
      1e-12,
    );
  });

  it("take an outer product in as a new factorisation would", () => {
    const sum = matrix.map((value, at) => value + (v[Math.floor(at / size)] ?? 0) * (v[at % size] ?? 0));
    expect(maxAbsolute(addOuterProduct(factor, v).lower, choleskyOf(sum, size).lower)).to.be.below(1e-13);
  });

  it("refuse a matrix that is not positive definite, with the pivot", async () => {
    const zeroed = matrix.slice();
    zeroed[size * size - 1] = 0;
    await expectFailure(() => choleskyOf(zeroed, size), "ATTUNE_NOT_FINITE", "pivot 6");
  });
});

describe("sums of outer products", () => {
  it("are those of a plain loop, over several blocks and with weights", () => {
    const sum = new GramSum(size);
    const plain = new Float64Array(size * size);
    for (let row = 0; row < 300; row++) {
      const v = testNumbers(row, size);
      sum.add(v, row / 100);
      for (const [i, a] of v.entries())
        for (const [j, b] of v.entries())
          plain[i * size + j] = (plain[i * size + j] ?? 0) + (row / 100) * a * b;
    }
    expect(maxAbsolute(sum.matrix(), plain)).to.be.below(1e-11);
  });
});
