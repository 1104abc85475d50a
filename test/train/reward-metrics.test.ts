// Metrics of scored answers from scores that are easy to check by hand.

import { expect } from "chai";
import { packRows, type TokenisedRow } from "../../lib/data/index.js";
import type { StepResult } from "../../lib/engine/contract.js";
import type { LossPlan } from "../../lib/train/reward-loss.js";
import { RewardSums } from "../../lib/train/reward-metrics.js";
import { judgedRow } from "./judged-rows.js";

const plain: LossPlan = {
  loss: "bradley-terry",
  ties: undefined,
  centring: 0,
  heads: 1,
  axes: undefined,
  scales: new Map(),
  seed: 0,
};

interface Given {
  readonly plan?: Partial<LossPlan>;
  readonly use?: "training" | "evaluation";
}

/** Metrics of rows in one batch whose answers have these scores, [completions x heads]. */
function metricsOf(data: readonly TokenisedRow[], scores: readonly number[], given: Given = {}) {
  const sums = new RewardSums({ ...plain, ...given.plan }, given.use ?? "training");
  const batch = packRows({ data, rows: data.map((_, i) => i), score: true });
  const result: StepResult = {
    loss: 0.25,
    groupLosses: new Float64Array(data.length),
    completions: [],
    scores: Float64Array.from(scores),
    tieGradient: 0,
    trunkRows: 7,
    headRows: 0,
  };
  sums.add({ data, batch, result });
  return sums.metrics();
}

describe("metrics of scored answers", () => {
  it("are shares and means over pairs, and the range of all answers", () => {
    expect(metricsOf([judgedRow(2), judgedRow(2)], [3, 1, -2, 2])).to.deep.equal({
      loss: 0.25,
      accuracy: 0.5,
      margin: -1,
      min_reward: -2,
      mean_reward: 1,
      max_reward: 3,
      tokens: 2 * (2 * 2 + 1 + 2),
      tokens_computed: 7,
    });
  });

  it("count equal scores as no win", () => {
    expect(metricsOf([judgedRow(2)], [1, 1])).to.deep.include({ accuracy: 0, margin: 0 });
  });

  it("leave ties out, and turn pairs whose rejected side is favoured", () => {
    const rows = [judgedRow(2, { label: 0.5 }), judgedRow(2, { label: 0.2 })];
    expect(metricsOf(rows, [9, 0, 1, 4])).to.deep.include({ accuracy: 1, margin: 3 });
  });

  it("count every pair of a ranking", () => {
    expect(metricsOf([judgedRow(3, { ranks: [2, 1, 3] })], [1, 2, 1.5])).to.deep.include({
      accuracy: 2 / 3,
      margin: (1 + 0.5 - 0.5) / 3,
    });
  });

  it("take an ensemble's mean score", () => {
    const scores = [3, -1, 0, 0];
    expect(metricsOf([judgedRow(2)], scores, { plan: { heads: 2 } })).to.deep.include({
      accuracy: 1,
      margin: 1,
      max_reward: 1,
    });
  });

  it("take the score of the axis' own head", () => {
    const plan = { heads: 2, axes: ["a", "b"], loss: "rating" } as const;
    const rows = [judgedRow(1, { rating: 1, axis: "b" }), judgedRow(1, { rating: 1, axis: "a" })];
    const metrics = metricsOf(rows, [10, 1, 2, 20], { plan });
    expect(metrics).to.deep.include({ min_reward: 1, max_reward: 2 });
    expect(metrics).to.not.have.any.keys("accuracy", "margin");
  });

  it("show what centring adds to the loss of a pair", () => {
    expect(metricsOf([judgedRow(2)], [3, -1], { plan: { centring: 0.1 } }).centring).to.be.closeTo(
      0.4,
      1e-12,
    );
  });

  it("measure in an evaluation how far sigmoid(margin) is from what was judged", () => {
    const { calibration_error: error } = metricsOf([judgedRow(2)], [2, 0], { use: "evaluation" });
    expect(error).to.be.closeTo(1 - 1 / (1 + Math.exp(-2)), 1e-12);
  });

  it("measure in an evaluation whether longer answers score higher", () => {
    const of = (scores: readonly number[]) =>
      metricsOf([judgedRow(3, { ranks: [1, 2, 3] })], scores, { use: "evaluation" }).length_correlation;
    expect(of([1, 5, 9])).to.be.closeTo(1, 1e-12);
    expect(of([9, 5, 1])).to.be.closeTo(-1, 1e-12);
    expect(of([1, 1, 1])).to.equal(undefined);
  });

  it("leave both out of training", () => {
    expect(metricsOf([judgedRow(2)], [2, 0])).to.not.have.any.keys("calibration_error", "length_correlation");
  });
});
