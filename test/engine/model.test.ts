// What a loaded model does: steps and updates, snapshots, log-probs of plain rows, cancelling, disposing.

import { expect } from "chai";
import { createEngine, type Engine, type LossSpec, type Model } from "../../lib/engine/index.js";
import { workspaceBytes } from "../../lib/engine/memory.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations, pairs, someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

describe("a loaded model", () => {
  const at = suiteFolder();
  let engine: Engine;
  let model: Model;
  before(async () => {
    engine = await createEngine({ device: "cpu", threads: 2 });
    writeTinyModel({ folder: at("tiny") });
    writeTinyModel({ folder: at("wide"), width: 256, heads: 4, layers: 6, mlpWidth: 1024 });
    writeTinyModel({ folder: at("reward"), kind: "reward" });
  });
  after(() => engine.dispose());
  beforeEach(async () => {
    model = await engine.loadModel(at("tiny"));
  });
  afterEach(() => model.dispose());

  it("gives a step's loss as the mean of the forward's log-probs", async () => {
    const { logprobs } = await model.forward(batch);
    const { loss } = await model.step(batch, nll);
    const mean = logprobs.reduce((sum, logprob) => sum - logprob, 0) / logprobs.length;
    expect(loss).to.be.closeTo(mean, 1e-6);
  });

  it("counts trunk rows with each prompt once, and head rows as targets only", async () => {
    const two = pairs(2);
    const reference = new Float64Array(4).fill(-20);
    const loss = {
      kind: "pairwise",
      terms: [{ name: "sigmoid", weight: 1 }],
      normaliser: 2,
      beta: 0.1,
      labelSmoothing: 0,
      reference,
    } as const;
    const result = await model.step(two, loss);
    expect(result.trunkRows).to.equal(two.counts.tokensComputed);
    expect(result.headRows).to.equal(two.counts.targets);
    expect(result.completions.map(({ count }) => count)).to.deep.equal([7, 9, 7, 9]);
  });

  it("lowers the loss by updates", async () => {
    const { loss: before } = await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
    for (let i = 0; i < 4; i++) {
      await model.step(batch, nll);
      await model.update({ learningRate: 1e-2 });
    }
    const { loss: after } = await model.step(batch, nll);
    expect(after).to.be.below(before - 0.5);
  });

  it("gives the norm of all gradients before clipping", async () => {
    await model.step(batch, nll);
    let squares = 0;
    for (const { name } of model.tensors()) {
      for (const value of await model.gradient(name)) squares += value ** 2;
    }
    const { gradNorm, finite } = await model.update({ learningRate: 1e-3, maxGradNorm: 0.01 });
    expect(gradNorm).to.be.closeTo(Math.sqrt(squares), 1e-5 * Math.sqrt(squares));
    expect(finite).to.equal(true);
  });

  it("leaves a snapshot as it was while the model trains", async () => {
    await using frozen = await model.snapshot();
    const before = await frozen.forward(batch);
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
    expect(await frozen.forward(batch)).to.deep.equal(before);
    expect((await model.forward(batch)).logprobs).to.not.deep.equal(before.logprobs);
  });

  it("returns hidden states and logits only when asked", async () => {
    const plain = await model.forward(batch);
    expect(plain).to.not.have.any.keys("hidden", "logits");
    const full = await model.forward(batch, { hidden: true, logits: true });
    expect(full.hidden).to.have.length(batch.counts.targets * 32);
    expect(full.logits).to.have.length(batch.counts.targets * 259);
  });

  it("copies a batch at call time: later changes have no effect", async () => {
    const expected = await model.forward(batch);
    const own = { ...batch, tokens: batch.tokens.slice() };
    const pending = model.forward(own);
    own.tokens.fill(0);
    expect(await pending).to.deep.equal(expected);
  });

  it("refuses a token outside the vocabulary by its place", async () => {
    const wrong = { ...batch, tokens: batch.tokens.with(4, 259) };
    const error = await failureOf(() => model.forward(wrong));
    expect(error.code).to.equal("ATTUNE_SHAPE");
    expect(error.message).to.contain("tokens[4]").and.contain("259");
  });

  it("refuses a reference that does not fit the batch", async () => {
    const loss = {
      kind: "pairwise",
      terms: [{ name: "sigmoid", weight: 1 }],
      normaliser: 1,
      beta: 0.1,
      labelSmoothing: 0,
      reference: new Float64Array(3),
    } as const;
    expect((await failureOf(() => model.step(pairs(1), loss))).code).to.equal("ATTUNE_SHAPE");
  });

  it("refuses to read the gradient of a tensor that is not there", async () => {
    await model.step(batch, nll);
    const error = await failureOf(() => model.gradient("model.nothing.weight"));
    expect(error.message).to.contain("model.nothing.weight");
  });

  it("gives log-probs of rows of ids, one array per row", async () => {
    const rows = [
      { prompt: someIds(4, 1), completion: someIds(6, 2) },
      { prompt: [1, 2, 3], completion: [4] },
    ];
    const [first, second] = await model.logprobs(rows);
    expect(first).to.have.length(6);
    expect(second).to.have.length(1);
  });

  it("gives the same bits of log-probs alone and beside other rows", async () => {
    const rows = Array.from({ length: 5 }, (_, i) => ({
      prompt: someIds(3 + i, i),
      completion: someIds(9 - i, i + 9),
    }));
    const together = await model.logprobs(rows);
    for (const [i, row] of rows.entries())
      expect((await model.logprobs([row]))[0]).to.deep.equal(together[i]);
  });

  it("tokenises text rows with the model's tokenizer, white space at the prompt's end going to the completion", async () => {
    const [text] = await model.logprobs([{ prompt: "ab ", completion: "cd" }]);
    const [ids] = await model.logprobs([{ prompt: [97, 98], completion: [32, 99, 100] }]);
    expect(text).to.deep.equal(ids);
  });

  it("gives one score per target of a reward model, and refuses it from others", async () => {
    await using reward = await engine.loadModel(at("reward"));
    expect(await reward.scores(batch)).to.have.length(batch.counts.targets);
    expect((await failureOf(() => model.scores(batch))).code).to.equal("ATTUNE_MODEL");
  });

  it("plans at least what it then holds", async () => {
    const planned = model.plan({
      rows: batch.counts.tokensComputed,
      targets: batch.counts.targets,
      training: true,
    });
    await model.step(batch, nll);
    const held = model.memory();
    for (const key of ["weightsFp32", "gradients", "optimizer", "activations", "head"] as const)
      expect(held[key], key).to.be.at.most(planned[key]);
    const { scratch, total } = engine.memory();
    expect(total).to.be.at.least(held.total);
    expect(scratch).to.be.within(1, workspaceBytes(planned));
  });

  it("rejects a step with the signal's reason when it is aborted, and trains on afterwards", async () => {
    await using wide = await engine.loadModel(at("wide"));
    const large = demonstrations(40, 60, 60);
    const loss: LossSpec = { kind: "nll", normaliser: large.counts.targets };
    const abort = new AbortController();
    const reason = new Error("enough");
    const pending = wide.step(large, loss, { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 5);
    const error: unknown = await pending.catch((thrown: unknown) => thrown);
    expect(error).to.equal(reason);
    const fresh = await wide.step(batch, nll);
    expect(fresh.loss).to.be.finite;
    const { gradNorm } = await wide.update({ learningRate: 0 });
    await wide.step(batch, nll);
    // The aborted step left nothing behind in the gradients.
    expect((await wide.update({ learningRate: 0 })).gradNorm).to.equal(gradNorm);
  });

  it("runs commands in the order they were given", async () => {
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    await Promise.all([
      model.step(batch, nll).then(note("step")),
      model.update({ learningRate: 1e-3 }).then(note("update")),
      model.forward(batch).then(note("forward")),
    ]);
    expect(order).to.deep.equal(["step", "update", "forward"]);
  });
});

describe("disposing", () => {
  const at = suiteFolder();
  before(() => {
    writeTinyModel({ folder: at("tiny") });
    writeTinyModel({ folder: at("wide"), width: 256, heads: 4, layers: 6, mlpWidth: 1024 });
  });

  it("a model cancels its running step and rejects later calls", async () => {
    await using engine = await createEngine({ threads: 2 });
    const model = await engine.loadModel(at("wide"));
    const large = demonstrations(40, 60, 60);
    const pending = model.step(large, { kind: "nll", normaliser: large.counts.targets });
    const failed = failureOf(() => pending);
    await model.dispose();
    expect((await failed).code).to.equal("ATTUNE_ABORTED");
    expect((await failureOf(() => model.forward(batch))).code).to.equal("ATTUNE_DISPOSED");
    expect((await failureOf(() => model.memory())).code).to.equal("ATTUNE_DISPOSED");
  });

  it("a model twice does no harm", async () => {
    await using engine = await createEngine({ threads: 1 });
    const model = await engine.loadModel(at("tiny"));
    await Promise.all([model.dispose(), model.dispose()]);
    await model.dispose();
    expect(engine.memory().weightsFp32).to.equal(0);
  });

  it("an engine disposes its models and rejects later loads", async () => {
    const engine = await createEngine({ threads: 1 });
    const model = await engine.loadModel(at("tiny"));
    const frozen = await model.snapshot();
    await engine.dispose();
    expect((await failureOf(() => frozen.forward(batch))).code).to.equal("ATTUNE_DISPOSED");
    expect((await failureOf(() => engine.loadModel(at("tiny")))).code).to.equal("ATTUNE_DISPOSED");
  });

  it("an engine while it loads rejects the load", async () => {
    const engine = await createEngine({ threads: 1 });
    const failed = failureOf(() => engine.loadModel(at("wide")));
    await engine.dispose();
    expect((await failed).code).to.equal("ATTUNE_DISPOSED");
  });

  it("one engine leaves another one working", async () => {
    const first = await createEngine({ threads: 2 });
    await using second = await createEngine({ threads: 2 });
    const a = await first.loadModel(at("tiny"));
    const b = await second.loadModel(at("tiny"));
    const [one, two] = await Promise.all([a.forward(batch), b.forward(batch)]);
    expect(one).to.deep.equal(two);
    await first.dispose();
    expect(await b.forward(batch)).to.deep.equal(two);
  });
});

describe("createEngine", () => {
  it("refuses cuda with the reason", async () => {
    const error = await failureOf(() => createEngine({ device: "cuda" }));
    expect(error.code).to.equal("ATTUNE_BACKEND");
    expect(error.message).to.contain("the backend is ").and.contain('Use device "cpu"');
  });

  it("names an unknown option and the nearest known one", async () => {
    const error = await failureOf(() => createEngine({ thread: 2 } as object));
    expect(error.message).to.contain('Did you mean "threads"?');
  });

  it("refuses an absurd number of threads", async () => {
    const error = await failureOf(() => createEngine({ threads: 0 }));
    expect(error.message).to.contain("Expected threads to be an integer from 1 to 1024 but received 0");
  });

  it("says which instruction set and how many threads it has", async () => {
    await using engine = await createEngine({ isa: "scalar", threads: 3 });
    expect(engine).to.include({ isa: "scalar", threads: 3, device: "cpu" });
  });
});
