// What a step leaves behind in a model: after an abort, and with batches at the edge of the contract.

import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import { createEngine, type Engine, type LossSpec, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations, pairs } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

describe("a step", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("tiny") });
  });
  after(() => engine.dispose());
  beforeEach(async () => {
    model = await engine.loadModel(at("tiny"));
  });
  afterEach(() => model.dispose());

  const gradNorm = async (): Promise<number> => (await model.update({ learningRate: 0 })).gradNorm;
  const dpo = (count: number): LossSpec => ({
    kind: "pairwise",
    terms: [{ name: "sigmoid", weight: 1 }],
    normaliser: count,
    beta: 0.1,
    labelSmoothing: 0,
    reference: Float64Array.from({ length: 2 * count }, (_, i) => -3 * i),
  });

  it("that is aborted while it waits clears what the steps before it gathered", async () => {
    await model.step(batch, nll);
    const abort = new AbortController();
    const reason = new Error("enough");
    const running = model.forward(demonstrations(30, 60, 60));
    const waiting = model.step(batch, nll, { signal: abort.signal }).catch((thrown: unknown) => thrown);
    abort.abort(reason);
    expect(await waiting).to.equal(reason);
    await running;
    expect(await gradNorm()).to.equal(0);
  });

  it("whose signal is already aborted clears them too", async () => {
    await model.step(batch, nll);
    const signal = AbortSignal.abort(new Error("enough"));
    expect(await model.step(batch, nll, { signal }).catch((thrown: unknown) => thrown)).to.equal(
      signal.reason,
    );
    expect(await gradNorm()).to.equal(0);
  });

  it("that is aborted leaves the update behind it without effect: no momentum alone", async () => {
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
    const [name = ""] = model.tensors().map((tensor) => tensor.name);
    const before = await model.parameter(name);
    const signal = AbortSignal.abort(new Error("enough"));
    await model.step(batch, nll, { signal }).catch(() => undefined);
    expect(await model.update({ learningRate: 1e-2 })).to.deep.equal({ gradNorm: 0, finite: true });
    expect(await model.parameter(name)).to.deep.equal(before);
  });

  it("refuses targets that belong to no completion", async () => {
    const none = new Int32Array(0);
    const error = await failureOf(() => model.step({ ...batch, completions: none, groups: none }, nll));
    expect(error.code).to.equal("ATTUNE_SHAPE");
    expect(error.message).to.contain(`expected to cover ${batch.counts.targets} targets`);
  });

  it("refuses positions that disagree with the segments", async () => {
    const positions = batch.positions.map((position) => position + 1);
    const error = await failureOf(() => model.step({ ...batch, positions }, nll));
    expect(error.code).to.equal("ATTUNE_SHAPE");
    expect(error.message).to.contain("positions[0]: expected 0");
  });

  it("gives a group without completions the loss 0 and changes no other", async () => {
    const { groupLosses } = await model.step(batch, nll);
    const groups = Int32Array.of(...batch.groups, batch.completions.length / 2, 0);
    const longer = await model.step({ ...batch, groups }, nll);
    expect([...longer.groupLosses]).to.deep.equal([...groupLosses, 0]);
  });

  it("gives a pair of empty completions the same loss alone and beside others", async () => {
    const one = pairs(1);
    const end = one.counts.targets;
    const beside: PackedBatch = {
      ...one,
      completions: Int32Array.of(...one.completions, end, 0, end, 0),
      groups: Int32Array.of(0, 2, 2, 2),
    };
    const alone: PackedBatch = {
      ...one,
      targets: new Int32Array(0),
      completions: new Int32Array(4),
      groups: Int32Array.of(0, 2),
    };
    const [, expected] = (await model.step(beside, dpo(2))).groupLosses;
    const reference = Float64Array.of(-6, -9);
    const result = await model.step(alone, { ...dpo(1), reference } as LossSpec);
    expect(expected).to.be.closeTo(Math.log1p(Math.exp(0.3)), 1e-12);
    expect([...result.groupLosses]).to.deep.equal([expected]);
    expect(result.loss).to.equal(expected);
    expect(result.completions.map(({ count }) => count)).to.deep.equal([0, 0]);
  });
});

describe("loading", () => {
  const at = suiteFolder();

  it("that ends while the engine is disposed is rejected", async () => {
    writeTinyModel({ folder: at("tiny") });
    const engine = await createEngine({ threads: 1 });
    let disposal: Promise<void> | undefined;
    const onProgress = (fraction: number): void => {
      if (fraction === 1) disposal = engine.dispose();
    };
    const error = await failureOf(() => engine.loadModel(at("tiny"), { onProgress }));
    expect(error.code).to.equal("ATTUNE_DISPOSED");
    await disposal;
  });
});
