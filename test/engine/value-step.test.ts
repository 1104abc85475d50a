// Value models: one score head read at every target, so that batches are packed as for log-probs.

import { expect } from "chai";
import { type PackedBatch, packRows } from "../../lib/data/index.js";
import { createEngine, type Engine, type Model, type ValueLoss } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { pairs, someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = pairs(3);
const { targets } = batch.counts;

function lossFor({ counts }: PackedBatch, changes: Partial<ValueLoss> = {}): ValueLoss {
  const returns = Float64Array.from({ length: counts.targets }, (_, i) => ((i % 7) - 3) / 4);
  return { kind: "value", normaliser: counts.targets, returns, ...changes };
}

async function gradientsOf(model: Model): Promise<Map<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  for (const { name } of model.tensors()) all.set(name, await model.gradient(name));
  await model.clearGradients();
  return all;
}

describe("a value model", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    model = await engine.loadModel(writeTinyModel({ folder: at("critic"), kind: "reward" }).folder);
  });
  after(() => engine?.dispose());

  it("gives a value at every target, which is its score there and the bias", async () => {
    const scores = await model.scores(batch);
    const { value, scores: none } = await model.evaluate(batch, lossFor(batch, { bias: 0.25 }));
    expect(scores).to.have.length(targets);
    expect(value?.values).to.deep.equal(Float64Array.from(scores, (score) => score + 0.25));
    expect(value?.count).to.equal(targets);
    expect(none).to.have.length(0);
  });

  it("gives the loss of its squared errors, and in a step the same as in an evaluation", async () => {
    const loss = lossFor(batch, { bias: 0.25 });
    const result = await model.step(batch, loss);
    await model.clearGradients();
    const evaluated = await model.evaluate(batch, loss);
    expect(result.loss).to.equal(evaluated.loss);
    expect(result.value).to.deep.equal(evaluated.value);
    const errors = Array.from(result.value?.values ?? [], (v, i) => v - (loss.returns[i] ?? Number.NaN));
    const expected = errors.reduce((sum, error) => sum + error * error, 0) / 2 / targets;
    expect(result.loss).to.be.closeTo(expected, 1e-12);
  });

  it("read at the last tokens alone learns what a loss of ratings teaches", async () => {
    const data = [1, 2, 3].map((seed) => ({
      prompt: someIds(4, seed),
      completions: [someIds(6, seed + 7)],
    }));
    const last = packRows({ data, rows: [0, 1, 2], score: true });
    const ratings = Float64Array.of(0.5, -1, 2);
    // (r - s)^2 is twice a half.
    const value = await model.step(last, { kind: "value", normaliser: 3 / 2, returns: ratings });
    const expected = await gradientsOf(model);
    const rated = await model.step(last, { kind: "scores", form: "rating", normaliser: 3, ratings });
    const gradients = await gradientsOf(model);
    expect(value.loss).to.be.closeTo(rated.loss, 1e-12);
    for (const [name, values] of expected)
      expect(relativeL2(gradients.get(name) ?? [], values), name).to.be.at.most(1e-6);
  });

  it("counts clipped targets, and a completion of weight 0 changes nothing", async () => {
    const { value } = await model.evaluate(batch, lossFor(batch));
    const values = value?.values ?? new Float64Array(0);
    // Every value has moved up by 1, and every return lies above: the clipped square is the larger one.
    const loss = lossFor(batch, {
      returns: values.map((v) => v + 1),
      oldValues: values.map((v) => v - 1),
      clip: 0.2,
    });
    const result = await model.step(batch, loss);
    expect(result.value).to.include({ count: targets, clipped: targets });
    for (const [name, values] of await gradientsOf(model))
      expect(Math.max(...values.map(Math.abs)), name).to.equal(0);
    const completionWeights = new Float64Array(batch.completions.length / 2);
    const silent = await model.step(batch, lossFor(batch, { completionWeights }));
    expect(silent.loss).to.equal(0);
    for (const [name, values] of await gradientsOf(model))
      expect(Math.max(...values.map(Math.abs)), name).to.equal(0);
  });

  it("takes a batch without targets", async () => {
    const none = new Int32Array(0);
    const empty = { ...batch, targets: none, completions: none, groups: none };
    const result = await model.step(empty, { kind: "value", normaliser: 1, returns: new Float64Array(0) });
    await model.clearGradients();
    expect(result.loss).to.equal(0);
    expect(result.value).to.include({ count: 0, clipped: 0 });
  });

  it("has one head; several are refused", async () => {
    const config = { id2label: { "0": "a", "1": "b" }, label2id: { a: 0, b: 1 } };
    const { folder } = writeTinyModel({
      folder: at("two"),
      kind: "reward",
      config,
      edit: (tensors) => tensors.set("score.weight", { shape: [2, 32], values: new Float32Array(64) }),
    });
    await using two = await engine.loadModel(folder);
    const error = await failureOf(() => two.step(batch, lossFor(batch)));
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.include("one score head but this one has 2");
  });

  it("is no policy, and a policy is no value model", async () => {
    await using policy = await engine.loadModel(writeTinyModel({ folder: at("policy") }).folder);
    const value = await failureOf(() => policy.step(batch, lossFor(batch)));
    expect(value.code).to.equal("ATTUNE_MODEL");
    const numbers = new Float64Array(targets);
    const tokens = await failureOf(() =>
      model.step(batch, {
        kind: "policy",
        form: "clip",
        ratio: "token",
        normaliser: 1,
        clipLow: 0.2,
        clipHigh: 0.2,
        advantages: numbers,
        oldLogprobs: numbers,
      }),
    );
    expect(tokens.code).to.equal("ATTUNE_MODEL");
  });
});
