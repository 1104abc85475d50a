// Active choice compared with random choice, over ten seeds at equal votes. What comes out is printed as it is: papers
// disagree on selectors, and a test that wanted one to win would only be tuned until it does.

import { expect } from "chai";
import type { SelectorName } from "../../lib/feedback/index.js";
import { activeChoice } from "../feedback/active-choice.js";

const seeds = Array.from({ length: 10 }, (_, seed) => seed);
const selectors: readonly SelectorName[] = ["random", "disagreement", "optimistic", "gap"];
const VOTES = 200;
/** 97.5% quantile of Student's t with 9 degrees of freedom. */
const T = 2.262157;

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("active choice beside random choice", () => {
  it("is measured with as many votes, and reported whatever it says", () => {
    const measured = new Map(
      selectors.map((selector) => [
        selector,
        seeds.map((seed) => activeChoice({ seed, selector, votes: VOTES })),
      ]),
    );
    const random = measured.get("random") ?? [];
    console.log(
      `      seed ${seeds.map((seed) => String(seed).padStart(5)).join(" ")}   mean, and difference to random`,
    );
    for (const [selector, runs] of measured) {
      expect(runs.map(({ votes }) => votes)).to.deep.equal(seeds.map(() => VOTES));
      expect(runs.every(({ accuracy }) => accuracy > 0.5 && accuracy <= 1)).to.equal(true);
      const differences = runs.map(({ accuracy }, seed) => accuracy - (random[seed]?.accuracy ?? Number.NaN));
      const mean = meanOf(differences);
      const spread = Math.sqrt(meanOf(differences.map((value) => (value - mean) ** 2)) * (10 / 9));
      const half = (T * spread) / Math.sqrt(seeds.length);
      expect(Number.isFinite(half)).to.equal(true);
      const row = runs.map(({ accuracy }) => accuracy.toFixed(3)).join(" ");
      const accuracy = meanOf(runs.map((run) => run.accuracy)).toFixed(4);
      console.log(
        `      ${selector.padEnd(12)} ${row}   ${accuracy}, ${mean.toFixed(4)} (${(mean - half).toFixed(4)} to ${(mean + half).toFixed(4)})`,
      );
    }
  });
});
