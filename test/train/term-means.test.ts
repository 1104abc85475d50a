// What policy and value terms are divided by.

import { expect } from "chai";
import { termScale } from "../../lib/train/term-means.js";

/** Completions of 2, 0 and 4 targets. */
const batch = { completions: Int32Array.of(0, 2, 2, 0, 2, 4) };
const update = { tokens: 60, rows: 12, maxNewTokens: 8 };

describe("the mean of a policy's terms", () => {
  it("over tokens divides by the update's", () => {
    expect(termScale("token", batch, update)).to.deep.equal({ normaliser: 60 });
  });

  it("over sequences weighs each completion's tokens by their number, and one without any by 0", () => {
    expect(termScale("sequence", batch, update)).to.deep.equal({
      normaliser: 12,
      completionWeights: Float64Array.of(0.5, 0, 0.25),
    });
  });

  it("over a budget divides by the most tokens there could be", () => {
    expect(termScale("budget", batch, update)).to.deep.equal({ normaliser: 96 });
  });

  it("over rows divides by their number", () => {
    expect(termScale("row", batch, update)).to.deep.equal({ normaliser: 12 });
  });
});
