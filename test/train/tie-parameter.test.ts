// The parameter of a model of ties: where it starts, how it moves, and that a checkpoint has all of it.

import { expect } from "chai";
import { TieParameter, tieLearningRate } from "../../lib/train/tie-parameter.js";
import { failureOf } from "../errors/expect-failure.js";

describe("the parameter of a model of ties", () => {
  it("starts where equal answers tie as often as the rows do", () => {
    const nu = Math.exp(new TieParameter("davidson", 0.3).eta);
    expect(nu / (2 + nu)).to.be.closeTo(0.3, 1e-12);
    expect(Math.tanh(new TieParameter("rao-kupper", 0.3).eta / 2)).to.be.closeTo(0.3, 1e-12);
  });

  it("starts at a finite number where nothing or everything is a tie", () => {
    for (const model of ["davidson", "rao-kupper"] as const)
      for (const share of [0, 1]) expect(Number.isFinite(new TieParameter(model, share).eta)).to.equal(true);
  });

  it("moves against the slope by Adam's first step, which is the rate", () => {
    const tie = new TieParameter("davidson", 0.3);
    const { eta } = tie;
    tie.update(123, 0.5);
    expect(tie.eta - eta).to.be.closeTo(-0.5 * tieLearningRate, 1e-9);
  });

  it("stays above 0 in rao-kupper, however steep the slope is", () => {
    const tie = new TieParameter("rao-kupper", 0.05);
    for (let i = 0; i < 2000; i++) tie.update(1e6, 1);
    expect(tie.eta).to.be.above(0).and.below(0.01);
  });

  it("finds the minimum of a loss", () => {
    const tie = new TieParameter("davidson", 0.3);
    for (let i = 0; i < 3000; i++) tie.update(2 * (tie.eta - 1.25), 1 - i / 3000);
    expect(tie.eta).to.be.closeTo(1.25, 1e-3);
  });

  it("goes on from a checkpoint as if it had never stopped", () => {
    const [one, other] = [new TieParameter("rao-kupper", 0.2), new TieParameter("rao-kupper", 0.4)];
    for (let i = 0; i < 5; i++) one.update(i - 1.7, 1);
    other.restore(JSON.parse(JSON.stringify(one.save())));
    for (const tie of [one, other]) tie.update(0.31, 0.9);
    expect(other.eta).to.equal(one.eta);
  });

  it("refuses a checkpoint of a run without one", async () => {
    const tie = new TieParameter("davidson", 0.3);
    expect((await failureOf(() => tie.restore(undefined))).code).to.equal("ATTUNE_RESUME");
  });
});
