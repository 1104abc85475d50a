// The stop rule of the loop: what a comparison of policies changes, and when it ends training.

import { expect } from "chai";
import type { GoldContest } from "../../lib/feedback/index.js";
import { afterContest } from "../../lib/feedback/loop/gold-contest.js";

const contest = (difference: number | null, upperBound: number | null, votes = 40): GoldContest => ({
  ...{ policy: "round-2", against: "round-1", votes, difference, upperBound },
});
const start = { best: "round-1", below: 0 };

describe("a comparison of the newest policy with the best one", () => {
  it("makes one that people prefer the best", () => {
    expect(afterContest({ ...start, below: 1 }, contest(0.1, 0.3), 30)).to.deep.equal({
      ...{ best: "round-2", below: 0, stop: false },
    });
  });

  it("stops when two running are surely worse, not at the first", () => {
    const once = afterContest(start, contest(-0.4, -0.1), 30);
    expect(once).to.deep.equal({ best: "round-1", below: 1, stop: false });
    expect(afterContest(once, contest(-0.4, -0.1), 30)).to.deep.equal({
      ...{ best: "round-1", below: 2, stop: true },
    });
  });

  it("forgets one that was worse where the next may be as good", () => {
    expect(afterContest({ ...start, below: 1 }, contest(-0.1, 0.05), 30).below).to.equal(0);
  });

  it("says nothing of few votes", () => {
    const before = { ...start, below: 1 };
    expect(afterContest(before, contest(-0.9, -0.5, 29), 30)).to.deep.equal({ ...before, stop: false });
    expect(afterContest(before, contest(null, null, 0), 30)).to.deep.equal({ ...before, stop: false });
  });
});
