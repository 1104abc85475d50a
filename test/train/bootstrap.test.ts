// Weights of the rows for each head of an ensemble.

import { expect } from "chai";
import { bootstrapWeights } from "../../lib/train/bootstrap.js";

describe("bootstrap weights", () => {
  const draw = (seed: number, row: number) => [...bootstrapWeights({ seed, row, heads: 4 })];
  const many = Array.from({ length: 5000 }, (_, row) => draw(7, row)).flat();

  it("are whole numbers from 0", () => {
    expect(many.every((weight) => Number.isInteger(weight) && weight >= 0)).to.equal(true);
  });

  it("have Poisson's mean and variance 1", () => {
    const mean = many.reduce((sum, weight) => sum + weight, 0) / many.length;
    const variance = many.reduce((sum, weight) => sum + (weight - mean) ** 2, 0) / many.length;
    // Five standard errors of 20,000 draws.
    expect(mean).to.be.closeTo(1, 0.036);
    expect(variance).to.be.closeTo(1, 0.062);
  });

  it("leave a row out of a head with probability 1/e", () => {
    const share = many.filter((weight) => weight === 0).length / many.length;
    expect(share).to.be.closeTo(Math.exp(-1), 0.018);
  });

  it("are the same whenever they are asked for, and other ones of other seeds, rows and heads", () => {
    expect(draw(7, 3)).to.deep.equal(draw(7, 3));
    const rows = Array.from({ length: 20 }, (_, row) => row);
    const columns = [0, 1, 2, 3].map((head) => rows.map((row) => draw(7, row)[head]).join());
    const others = [
      rows.map((row) => draw(8, row)[0]).join(),
      rows.map((row) => draw(7, row + 20)[0]).join(),
    ];
    expect(new Set([...columns, ...others]).size).to.equal(6);
  });
});
