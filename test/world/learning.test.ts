// The toy world teaches: a reward model, PPO and DPO from one seed; five seeds of everything are in test/long/toy-world.test.ts.

import { expect } from "chai";
import { dpoStage, type PolicyRow, PolicyTable, ppoStage } from "../../lib/world/index.js";
import { alarmsOf, type BestOfTable, bestOfTable, prepare, type ToyRun } from "./toy-run.js";

describe("in the toy world", () => {
  let run: ToyRun;
  let best: BestOfTable;
  let policies: PolicyTable;
  let sft: PolicyRow;
  before(async function () {
    this.timeout(600_000);
    run = await prepare(0);
    best = await bestOfTable(run);
    policies = await PolicyTable.open(run);
    sft = await policies.sft();
  });
  after(async () => {
    await policies.dispose();
    await run.dispose();
  });

  it("imitation alone gets some two thirds of the best reward, and best-of-N shows room above", () => {
    const golds = best.byTrue.map(({ gold }) => gold.mean);
    expect(golds[0]).to.be.within(2, 3);
    expect(golds).to.deep.equal(golds.toSorted((a, b) => a - b));
    expect(golds.at(-1)).to.be.above((golds[0] ?? 0) + 1);
  });

  it("a reward model prefers as annotators do, and choosing by it gains most of what the true reward would", () => {
    expect(run.accuracy).to.be.above(0.7);
    const gain = (table: typeof best.byTrue) => (table[3]?.gold.mean ?? 0) - (table[0]?.gold.mean ?? 0);
    expect(gain(best.byProxy)).to.be.above(0.5 * gain(best.byTrue));
    expect(gain(best.byProxy)).to.be.below(gain(best.byTrue));
  });

  it("PPO gains half of the distance to the best of 64 within 10 nats, without an alarm", async () => {
    await ppoStage(run, { name: "ppo" });
    const { trueReward, kl, winRateInterval } = await policies.run("ppo");
    const goal = best.byTrue[3]?.gold.mean ?? Number.NaN;
    expect(trueReward).to.be.above(sft.trueReward + 0.5 * (goal - sft.trueReward));
    expect(kl).to.be.below(10);
    expect(winRateInterval?.low).to.be.above(0.5);
    expect(alarmsOf(run, "ppo")).to.deep.equal([]);
  }).timeout(300_000);

  it("DPO beats imitation", async () => {
    await dpoStage(run, { name: "dpo" });
    const { winRateInterval, trueReward } = await policies.run("dpo");
    expect(winRateInterval?.low).to.be.above(0.5);
    expect(trueReward).to.be.above(sft.trueReward);
  }).timeout(120_000);
});
