// Score heads on one trunk: how they start, what they score, what trains, what is kept; and which models refuse what.

import { expect } from "chai";
import {
  createEngine,
  type Engine,
  type LoadModelOptions,
  type LossSpec,
  type Model,
  type ScoreHeadOptions,
} from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { columnOf, scoredPairs } from "../support/reward-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = scoredPairs(3);
// Centring moves what differences of scores leave alone: a bias of the final norm.
const pairLoss: LossSpec = { kind: "scores", form: "bradley-terry", normaliser: 3, centring: 0.1 };
const text = demonstrations(2);
const nll: LossSpec = { kind: "nll", normaliser: text.counts.targets };
const NAME = "score.weight";

describe("score heads on a language model's trunk", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("untied"), tied: false });
    writeTinyModel({ folder: at("gpt2"), kind: "gpt2" });
    writeTinyModel({ folder: at("reward"), kind: "reward" });
    writeTinyGguf(at("model.gguf"), writeTinyModel({ folder: at("tiny") }));
  });
  after(() => engine.dispose());

  const load = (scoreHead: ScoreHeadOptions, options: LoadModelOptions = {}, path = "tiny") =>
    engine.loadModel(at(path), { ...options, scoreHead });
  const values = async (model: Model, name = NAME) => Array.from(await model.parameter(name));
  const scores = async (model: Pick<Model, "scores">) => Array.from(await model.scores(batch));

  async function train(model: Model, updates = 1): Promise<void> {
    for (let i = 0; i < updates; i++) {
      await model.step(batch, pairLoss);
      await model.update({ learningRate: 1e-3 * (i + 1), weightDecay: 0.01 });
    }
  }

  async function everything(model: Model): Promise<Record<string, number[]>> {
    const all: Record<string, number[]> = { scores: await scores(model) };
    for (const { name } of model.tensors()) all[name] = await values(model, name);
    return all;
  }

  it("stand in place of the LM head, tied or not", async () => {
    await using tied = await load({ heads: 3 });
    await using untied = await load({ heads: 3 }, {}, "untied");
    for (const model of [tied, untied]) {
      const names = model.tensors().map(({ name }) => name);
      expect(model.tensors().at(-1)).to.deep.equal({ name: NAME, shape: [3, 32] });
      expect(names).to.include("model.embed_tokens.weight").and.not.include("lm_head.weight");
      expect(model.scoreHeads).to.equal(3);
      expect(model.trainableParameters).to.equal(model.parameters);
    }
    expect(untied.parameters).to.equal(tied.parameters);
  });

  it("start from N(0, 1 / (width + 1)), by their seed, each with values of its own", async () => {
    await using model = await load({ heads: 64, seed: 5 });
    await using other = await load({ heads: 64, seed: 6 });
    const all = await values(model);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
    // 2048 draws: three standard errors of mean and deviation.
    expect(Math.abs(mean)).to.be.below(3 / Math.sqrt(33 * 2048));
    expect(deviation * Math.sqrt(33)).to.be.within(1 - 3 / Math.sqrt(4096), 1 + 3 / Math.sqrt(4096));
    expect(await values(other)).to.not.deep.equal(all);
    expect(new Set(all).size).to.be.above(2000);
  });

  it("start alike whatever their number: the first of three is the only one of one", async () => {
    await using one = await load({ seed: 2 });
    await using three = await load({ seed: 2, heads: 3 });
    expect((await values(three)).slice(0, 32)).to.deep.equal(await values(one));
    expect(columnOf(await scores(three), 0, 3)).to.deep.equal(await scores(one));
  });

  it("may start at zero", async () => {
    await using model = await load({ init: "zero", heads: 2 });
    expect(await scores(model)).to.deep.equal(Array(12).fill(0));
  });

  for (const dtype of ["fp32", "bf16"] as const)
    for (const path of ["tiny", "gpt2", "model.gguf"])
      it(`score as those of an adapter that changes nothing: ${path}, ${dtype}`, async () => {
        const scoreHead = { seed: 7, heads: 2 };
        await using whole = await engine.loadModel(at(path), { dtype, scoreHead });
        await using role = await engine.loadModel(at(path), { dtype, scoreHead, adapter: { rank: 2 } });
        const [own, other] = [await scores(whole), await scores(role)];
        expect(own.some((score) => score !== 0)).to.equal(true);
        // An adapter's heads stay in fp32, a whole model's are rounded to 8 bits with it.
        const bar = dtype === "fp32" ? 0 : 2 ** -8 * 8;
        expect(Math.max(...own.map((score, i) => Math.abs(score - (other[i] ?? Number.NaN))))).to.be.at.most(
          bar,
        );
      });

  it("score a state as its row of weights says", async () => {
    await using model = await load({ heads: 33, seed: 3 });
    const [w, states, all] = [await values(model), await model.states(batch), await scores(model)];
    expect(states).to.have.length(6 * 32);
    for (const [i, score] of all.entries()) {
      const [target, head] = [Math.floor(i / 33), i % 33];
      const dot = w
        .slice(32 * head, 32 * head + 32)
        .reduce((sum, value, c) => sum + value * (states[32 * target + c] ?? Number.NaN), 0);
      expect(Math.abs(dot - score)).to.be.below(1e-5);
    }
  });

  it("are each trained by their own loss alone", async () => {
    await using model = await load({ heads: 3, seed: 1 });
    const headWeights = Float64Array.from({ length: 9 }, (_, i) => (i % 3 === 1 ? 1 : 0));
    const { scores: found } = await model.step(batch, { ...pairLoss, headWeights });
    expect(Array.from(found, Math.fround)).to.deep.equal(await scores(model));
    const gradient = Array.from(await model.gradient(NAME));
    const moved = [0, 1, 2].map((k) => gradient.slice(32 * k, 32 * k + 32).some((value) => value !== 0));
    expect(moved).to.deep.equal([false, true, false]);
  });

  for (const [path, options] of [
    ["tiny", {}],
    ["untied", { dtype: "bf16" }],
    ["gpt2", {}],
    ["gpt2", { dtype: "bf16" }],
    ["model.gguf", { dtype: "bf16" }],
  ] as const) {
    const what = `${path} in ${"dtype" in options ? options.dtype : "fp32"}`;
    const fresh = () => load({ heads: 3, seed: 4 }, options, path);

    it(`train every tensor, and lower the loss: ${what}`, async () => {
      await using model = await fresh();
      const before = await everything(model);
      const start = await model.evaluate(batch, pairLoss);
      await train(model, 4);
      const after = await everything(model);
      for (const name of Object.keys(before)) expect(after[name], name).to.not.deep.equal(before[name]);
      expect((await model.evaluate(batch, pairLoss)).loss).to.be.below(start.loss);
    });

    it(`go on from a saved state with the same bits: ${what}`, async () => {
      const file = at("state.safetensors");
      await using straight = await fresh();
      await train(straight, 3);
      await straight.saveState(file);
      await using later = await fresh();
      await later.loadState(file);
      expect(await everything(later)).to.deep.equal(await everything(straight));
      await train(straight, 2);
      await train(later, 2);
      expect(await everything(later)).to.deep.equal(await everything(straight));
    });
  }

  it("stay as they are in a snapshot", async () => {
    await using model = await load({ heads: 2 });
    await using copy = await model.snapshot();
    const before = await scores(copy);
    await train(model);
    expect(copy.scoreHeads).to.equal(2);
    expect(await scores(copy)).to.deep.equal(before);
    expect(await scores(model)).to.not.deep.equal(before);
  });

  for (const [path, heads, options] of [
    ["tiny", 1, {}],
    ["untied", 40, { dtype: "bf16" }],
    ["tiny", 3, { adapter: { rank: 2 } }],
  ] as const)
    it(`are in the plan of memory: ${heads} on ${path}`, async () => {
      await using model = await load({ heads }, options, path);
      const plan = model.plan({ rows: batch.tokens.length, targets: 6, training: true });
      await train(model);
      const { activations, head, ...held } = model.memory();
      expect(plan).to.deep.equal({ ...held, activations, head });
      expect(head).to.be.above(0);
    });

  it("are copied into an adapter of a model that scores, and trained there alone", async () => {
    await using base = await load({ heads: 2, seed: 3 });
    const before = await scores(base);
    await using model = await base.addAdapter({ rank: 2 });
    expect(model.adapter?.scoreHead).to.equal(true);
    expect(await scores(model)).to.deep.equal(before);
    await train(model, 2);
    expect(await scores(model)).to.not.deep.equal(before);
    expect(await scores(base)).to.deep.equal(before);
  });

  for (const dtype of ["fp32", "bf16"] as const)
    it(`are scaled each by its factor, and train on from there: ${dtype}`, async () => {
      await using model = await load({ heads: 2, seed: 3 }, { dtype });
      await train(model);
      const [before, w] = [await scores(model), await values(model)];
      await model.scaleScoreHeads([0.5, -3]);
      expect(await values(model)).to.deep.equal(
        w.map((value, i) => Math.fround(value * (i < 32 ? 0.5 : -3))),
      );
      const after = await scores(model);
      // A power of two is exact in any format.
      expect(columnOf(after, 0, 2)).to.deep.equal(columnOf(before, 0, 2).map((score) => score / 2));
      for (const [i, score] of columnOf(after, 1, 2).entries())
        expect(score).to.be.closeTo(-3 * (columnOf(before, 1, 2)[i] ?? 0), dtype === "fp32" ? 1e-5 : 0.05);
      await model.step(batch, pairLoss);
      await model.update({ learningRate: 1e-9 });
      const drift = (await values(model)).map((value, i) =>
        Math.abs(value - (w[i] ?? 0) * (i < 32 ? 0.5 : -3)),
      );
      expect(Math.max(...drift)).to.be.below(1e-7);
    });

  it("of a bf16 model keep a scaling that came before its first step", async () => {
    await using model = await load({ seed: 3 }, { dtype: "bf16" });
    await model.scaleScoreHeads([0.25]);
    const before = await scores(model);
    await model.step(batch, pairLoss);
    expect(await scores(model)).to.deep.equal(before);
  });

  it("of an adapter are scaled without its base's", async () => {
    await using base = await load({ seed: 3 });
    await using model = await base.addAdapter({ rank: 2 });
    const before = await scores(base);
    await model.scaleScoreHeads([2]);
    expect(await scores(model)).to.deep.equal(before.map((score) => 2 * score));
    expect(await scores(base)).to.deep.equal(before);
  });

  const wrongFactors: readonly (readonly number[])[] = [[1], [1, 2, 3], [1, Number.NaN], [0, 1]];
  for (const factors of wrongFactors)
    it(`are not scaled by ${JSON.stringify(factors)} where there are two`, async () => {
      await using model = await load({ heads: 2 });
      const before = await scores(model);
      expect((await failureOf(() => model.scaleScoreHeads(factors))).code).to.equal("ATTUNE_OPTION");
      expect(await scores(model)).to.deep.equal(before);
    });

  for (const [head, message] of [
    [{ heads: 0 }, "scoreHead.heads to be an integer from 1 to 1024"],
    [{ heads: 1.5 }, "but received 1.5"],
    [{ heads: 2000 }, "but received 2000"],
    [{ init: "ones" }, "scoreHead.init"],
    [{ seed: -1 }, "scoreHead.seed"],
    [{ head: 2 }, 'Did you mean "heads"?'],
  ] as const)
    it(`refuse ${JSON.stringify(head)}`, async () => {
      const error = await failureOf(() => load(head as ScoreHeadOptions));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.include(message);
    });

  for (const options of [{}, { adapter: { rank: 2 } }])
    it(`are not drawn for a model that has its own: ${JSON.stringify(options)}`, async () => {
      const error = await failureOf(() => load({}, options, "reward"));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.include("which it keeps. Leave scoreHead out");
    });

  describe("and the other kind of model", () => {
    const uses: readonly (readonly [string, (model: Model) => Promise<unknown>])[] = [
      ["forward", (model) => model.forward(text)],
      ["a step on log-probs", (model) => model.step(text, nll)],
      ["evaluating log-probs", (model) => model.evaluate(text, nll)],
      ["logprobs", (model) => model.logprobs([{ prompt: "a", completion: "b" }])],
      ["complete", (model) => model.complete("a", { maxNewTokens: 1 })],
    ];
    for (const [what, use] of uses)
      it(`a reward model is refused for ${what}, saying what it is`, async () => {
        await using model = await engine.loadModel(at("reward"));
        const error = await failureOf(() => use(model));
        expect(error.code).to.equal("ATTUNE_MODEL");
        expect(error.message).to.include("this one is a reward model").and.include("Give the model");
      });

    const scoring: readonly (readonly [string, (model: Model) => Promise<unknown>])[] = [
      ["scores", (model) => model.scores(batch)],
      ["a step on scores", (model) => model.step(batch, pairLoss)],
      ["evaluating scores", (model) => model.evaluate(batch, pairLoss)],
      ["score", (model) => model.score([{ prompt: "a", completion: "b" }])],
      ["scaling", (model) => model.scaleScoreHeads([1])],
    ];
    for (const [what, use] of scoring)
      it(`a language model is refused for ${what}, saying what is needed`, async () => {
        await using model = await engine.loadModel(at("tiny"));
        const error = await failureOf(() => use(model));
        expect(error.code).to.equal("ATTUNE_MODEL");
        expect(error.message).to.include("Expected a reward model (with a score head)");
      });

    it("both give states", async () => {
      await using policy = await engine.loadModel(at("tiny"));
      await using reward = await load({});
      expect(Array.from(await policy.states(batch))).to.deep.equal(Array.from(await reward.states(batch)));
      const { hidden } = await policy.forward(batch, { hidden: true });
      expect(Array.from(await policy.states(batch))).to.deep.equal(Array.from(hidden ?? []));
    });
  });
});
