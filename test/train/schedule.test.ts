// The learning rate's course against numbers worked out by hand.

import { expect } from "chai";
import { type ScheduleName, scheduleMultiplier, warmupSteps } from "../../lib/train/index.js";

const course = (schedule: ScheduleName, warmup: number, total: number) =>
  Array.from({ length: total + 1 }, (_, step) => scheduleMultiplier(step, { schedule, warmup, total }));

describe("learning-rate schedules", () => {
  it("fall in a line from 1 to 0 without warm-up", () => {
    expect(course("linear", 0, 4)).to.deep.equal([1, 0.75, 0.5, 0.25, 0]);
  });

  it("rise from 0 during warm-up, then fall over the steps that are left", () => {
    expect(course("linear", 2, 6)).to.deep.equal([0, 0.5, 1, 0.75, 0.5, 0.25, 0]);
  });

  it("stay at 1 after warm-up when constant", () => {
    expect(course("constant", 2, 4)).to.deep.equal([0, 0.5, 1, 1, 1]);
  });

  it("fall along half a cosine", () => {
    const expected = [1, 0.5 + Math.SQRT1_2 / 2, 0.5, 0.5 - Math.SQRT1_2 / 2, 0];
    for (const [step, value] of course("cosine", 0, 4).entries()) {
      expect(value).to.be.closeTo(expected[step] ?? Number.NaN, 1e-15);
    }
  });

  it("count a share of warm-up as whole steps, rounded up", () => {
    expect(warmupSteps(0.05, 101)).to.equal(6);
    expect(warmupSteps(0, 101)).to.equal(0);
  });

  it("stay finite when warm-up takes every step", () => {
    expect(course("linear", 3, 3)).to.deep.equal([0, 1 / 3, 2 / 3, 0]);
    expect(course("cosine", 3, 3).every(Number.isFinite)).to.equal(true);
  });
});
