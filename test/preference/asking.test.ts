import { expect } from "chai";
import { choleskyOf } from "../../lib/preference/cholesky.js";
import { chooseQuestions, type LinearBound, stillBest } from "../../lib/preference/index.js";

/** Two dimensions: the first is well known, the second hardly. */
const bound: LinearBound = {
  theta: Float64Array.of(1, 0),
  factor: choleskyOf(Float64Array.of(100, 0, 0, 1), 2),
  kappa: 0.5,
  kind: "gram",
  count: 1,
};
const at = (...values: number[]) => Float64Array.from(values);

describe("what to ask about", () => {
  it("leaves out an answer that is surely worse than another", () => {
    expect(stillBest(bound, [at(1, 0), at(0, 0), at(0.99, 0.5)])).to.deep.equal([0, 2]);
  });

  it("keeps a worse answer that little is known about", () => {
    expect(stillBest(bound, [at(1, 0), at(0.5, 2)])).to.deep.equal([0, 1]);
  });

  it("is the pair whose difference is least certain", () => {
    const [question] = chooseQuestions(bound, [{ features: [at(1, 0), at(1, 0.5), at(1, 3)] }], 1);
    expect(question).to.deep.include({ prompt: 0, pair: [0, 2] });
    expect(question?.width).to.be.closeTo(1.5, 1e-12);
  });

  it("spreads over directions, for each question counts as answered", () => {
    const same = { features: [at(1, 0), at(1, 2)] };
    const other = { features: [at(1, 0), at(1.01, 1.5)] };
    const widths = chooseQuestions(bound, [same, same, other], 3);
    expect(widths.map(({ prompt }) => prompt)).to.deep.equal([0, 1, 2]);
    expect(widths[1]?.width).to.be.below(widths[0]?.width ?? 0);
  });

  it("is nothing where one answer is left", () => {
    expect(chooseQuestions(bound, [{ features: [at(1, 0), at(0, 0)] }], 5)).to.deep.equal([]);
  });
});
