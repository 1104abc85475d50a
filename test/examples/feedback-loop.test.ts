// The example of a feedback loop: the true reward rises from simulated judgements alone, which know nothing of the policy.
// More seeds: test/long/feedback-loop.test.ts.

import { expect } from "chai";
import { suiteFolder } from "../support/temporary-folder.js";
import { runLoopExample } from "./run-loop-example.js";

describe("the example 11-feedback-loop.ts", () => {
  const at = suiteFolder();

  it("raises the true reward over that of the policy it starts from", function () {
    // A hang; it takes some twenty seconds.
    this.timeout(600_000);
    const { first, last, rounds, votes } = runLoopExample(at("loop"), 0);
    expect(rounds).to.equal(3);
    expect(votes).to.be.above(50);
    expect(last).to.be.above(first + 0.05);
  });
});
