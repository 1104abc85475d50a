import { expect } from "chai";
import { rankCorrelationOf, ranksOf } from "../../lib/preference/rank-correlation.js";
import { expectFailure } from "../errors/expect-failure.js";
import { testNumbers } from "../preference/words.js";

/** Over all pairs, as it is defined. */
function plainTauB(x: readonly number[], y: readonly number[]): number {
  let [difference, untiedX, untiedY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [Math.sign((x[i] ?? 0) - (x[j] ?? 0)), Math.sign((y[i] ?? 0) - (y[j] ?? 0))];
      difference += a * b;
      untiedX += Math.abs(a);
      untiedY += Math.abs(b);
    }
  }
  return difference / Math.sqrt(untiedX * untiedY);
}

describe("rank correlations", () => {
  it("share the ranks of equal values", () => {
    expect(Array.from(ranksOf([10, 30, 10, 20, 10]))).to.deep.equal([2, 5, 2, 4, 2]);
  });

  it("are 1 for the same order and -1 for the opposite one, whatever the distances", () => {
    const x = [1, 2, 3, 50];
    expect(rankCorrelationOf(x, [-7, 0, 1, 2])).to.deep.equal({ spearman: 1, kendall: 1, count: 4 });
    expect(rankCorrelationOf(x, [9, 8, 7, -100])).to.deep.equal({ spearman: -1, kendall: -1, count: 4 });
  });

  it("have Spearman's value of a worked example", () => {
    // 1 - 6 sum d^2 / (n (n^2 - 1)) with d = 1, 1, 0, 1, 1: 1 - 24/120.
    expect(rankCorrelationOf([1, 2, 3, 4, 5], [2, 1, 3, 5, 4]).spearman).to.be.closeTo(0.8, 1e-15);
  });

  it("have Kendall's tau-b of all pairs, with many ties", () => {
    for (let seed = 0; seed < 20; seed++) {
      const [x, y] = [seed, seed + 100].map((one) =>
        Array.from(testNumbers(one, 41), (value) => Math.round(3 * value)),
      );
      if (x === undefined || y === undefined) throw new Error("two lists");
      expect(rankCorrelationOf(x, y).kendall).to.be.closeTo(plainTauB(x, y), 1e-14);
    }
  });

  it("are not defined where one list holds a single value", () => {
    const { spearman, kendall } = rankCorrelationOf([1, 1, 1], [1, 2, 3]);
    expect([spearman, kendall]).to.deep.equal([Number.NaN, Number.NaN]);
  });

  it("refuse lists of different lengths", async () => {
    await expectFailure(() => rankCorrelationOf([1], [1, 2]), "ATTUNE_SHAPE", "1 and 2");
  });
});
