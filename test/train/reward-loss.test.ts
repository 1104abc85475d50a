// The loss of a batch as data: what rows say, by the numbers of the batch's completions.

import { expect } from "chai";
import { packRows, type TokenisedRow } from "../../lib/data/index.js";
import { bootstrapWeights } from "../../lib/train/bootstrap.js";
import { batchLoss, type LossPlan } from "../../lib/train/reward-loss.js";
import { judgedRow } from "./judged-rows.js";

const plain: LossPlan = {
  loss: "bradley-terry",
  ties: undefined,
  centring: 0,
  heads: 1,
  axes: undefined,
  scales: new Map(),
  seed: 5,
};

/** The loss of all rows in one batch. */
function lossOf(data: readonly TokenisedRow[], plan: Partial<LossPlan> = {}, training = true) {
  const batch = packRows({ data, rows: data.map((_, i) => i), score: true });
  return batchLoss({ plan: { ...plain, ...plan }, data, batch, normaliser: 8, tieParameter: 0.4, training });
}

describe("the loss of a batch of scores", () => {
  it("is divided by the count it is given and scaled by the rows' weights", () => {
    const loss = lossOf([judgedRow(2, { weight: 3 }), judgedRow(2)]);
    expect(loss).to.deep.include({ kind: "scores", normaliser: 8, weights: Float64Array.of(3, 1) });
  });

  it("numbers the sides of pairs by the batch's completions", () => {
    const loss = lossOf([judgedRow(2, { label: 0.7, margin: 2 }), judgedRow(2, { label: 0.5 })], {
      centring: 0.01,
    });
    expect(loss).to.deep.include({
      form: "bradley-terry",
      pairs: Int32Array.of(0, 1, 2, 3),
      pairCounts: Int32Array.of(1, 1),
      labels: Float64Array.of(0.7, 0.5),
      margins: Float64Array.of(2, 0),
      centring: 0.01,
    });
  });

  it("scores each answer of a ranking once, for all its pairs", () => {
    const loss = lossOf([judgedRow(2), judgedRow(3, { ranks: [2, 1, 2] })], { loss: "all-pairs" });
    expect(loss).to.deep.include({
      pairs: Int32Array.of(0, 1, 3, 2, 2, 4, 3, 4),
      pairCounts: Int32Array.of(1, 3),
      labels: Float64Array.of(1, 1, 0.5, 1),
    });
  });

  it("leaves tied pairs out where they are dropped", () => {
    const loss = lossOf([judgedRow(3, { ranks: [2, 1, 2] })], { loss: "all-pairs", ties: "drop" });
    expect(loss).to.deep.include({ pairs: Int32Array.of(1, 0, 1, 2), pairCounts: Int32Array.of(2) });
  });

  it("keeps the own weights of pairs that were put together", () => {
    const pair = { better: 0, worse: 1, label: 1, margin: 0 };
    const pairs = [
      { ...pair, weight: 1 },
      { ...pair, worse: 2, weight: 3 },
    ];
    const loss = lossOf([judgedRow(3, { pairs, weight: 2 }), judgedRow(2)]);
    expect(loss).to.deep.include({
      weights: Float64Array.of(2, 1),
      pairWeights: Float64Array.of(0.5, 1.5, 1),
    });
  });

  it("gives rankings with their places and treatment of ties", () => {
    const rows = [judgedRow(3, { ranks: [2, 1, 3], placed: 2 }), judgedRow(2, { ranks: [1, 2] })];
    expect(lossOf(rows, { loss: "plackett-luce", ties: "average" })).to.deep.include({
      form: "plackett-luce",
      ranks: Int32Array.of(2, 1, 3, 1, 2),
      placed: Int32Array.of(2, 0),
      ties: "average",
    });
  });

  it("gives ratings in units of their axis' spread", () => {
    const scales = new Map([["", { mean: 3, std: 2, count: 4 }]]);
    const loss = lossOf([judgedRow(1, { rating: 5 }), judgedRow(1, { rating: 2 })], {
      loss: "rating",
      scales,
    });
    expect(loss).to.deep.include({ form: "rating", ratings: Float64Array.of(1, -0.5) });
  });

  it("gives the outcomes and the parameter of a model of ties", () => {
    const loss = lossOf([judgedRow(2), judgedRow(2, { label: 0.5 })], { loss: "rao-kupper" });
    expect(loss).to.deep.include({
      form: "rao-kupper",
      labels: Float64Array.of(1, 0.5),
      tieParameter: 0.4,
    });
  });

  it("weighs rows for each head of an ensemble by their number in the file, in training only", () => {
    const rows = [judgedRow(2, { index: 17 }), judgedRow(2, { index: 4 })];
    const drawn = [17, 4].flatMap((row) => [...bootstrapWeights({ seed: 5, row, heads: 3 })]);
    expect(lossOf(rows, { heads: 3 }).headWeights).to.deep.equal(Float64Array.from(drawn));
    expect(lossOf(rows, { heads: 3 }, false).headWeights).to.equal(undefined);
  });

  it("gives every axis to its own head, with its whole loss", () => {
    const scales = new Map(["a", "b"].map((axis) => [axis, { mean: 0, std: 1, count: 1 }]));
    const rows = [judgedRow(1, { rating: 1, axis: "b" }), judgedRow(1, { rating: 1, axis: "a" })];
    const loss = lossOf(rows, { loss: "rating", scales, heads: 2, axes: ["a", "b"] });
    expect(loss.headWeights).to.deep.equal(Float64Array.of(0, 2, 2, 0));
  });
});
