// The loop raises the toy world's true reward from simulated judgements alone, from several seeds.

import { expect } from "chai";
import { runLoopExample } from "../../examples/run-loop-example.js";
import { suiteFolder } from "../../support/temporary-folder.js";

describe("the feedback loop, several seeds", () => {
  const at = suiteFolder();
  const gains: number[] = [];

  for (const seed of [1, 2, 3, 4]) {
    it(`raises the true reward, seed ${seed}`, () => {
      const { first, last } = runLoopExample(at(`seed-${seed}`), seed);
      console.log(`      ${first.toFixed(2)} -> ${last.toFixed(2)}`);
      gains.push(last - first);
      expect(last).to.be.above(first);
    });
  }

  it("raises it by a tenth on average", () => {
    expect(gains).to.have.length(4);
    expect(gains.reduce((sum, gain) => sum + gain, 0) / gains.length).to.be.above(0.1);
  });
});
