// Adapters as users meet them: options, several on one base, what trains and what does not, memory, disposal.

import { expect } from "chai";
import { createEngine, type Engine, type LossSpec, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations, pairs } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

describe("an adapter", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("tiny") });
    writeTinyModel({ folder: at("gpt2"), kind: "gpt2" });
  });
  after(() => engine.dispose());

  async function trainOnce(model: Model): Promise<void> {
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
  }
  const logprobs = async (model: Pick<Model, "forward">): Promise<number[]> =>
    Array.from((await model.forward(batch)).logprobs);

  it("has the rank, alpha and targets of its options, and PEFT's defaults for the rest", async () => {
    await using model = await engine.loadModel(at("tiny"), {
      adapter: { rank: 3, targets: ["q_proj", "down_proj"] },
    });
    expect(model.adapter).to.deep.equal({
      rank: 3,
      alpha: 6,
      rsLora: false,
      targets: ["q_proj", "down_proj"],
      scoreHead: false,
    });
    // q 32 -> 32 and down 88 -> 32, twice.
    expect(model.trainableParameters).to.equal(2 * 3 * (32 + 32 + 88 + 32));
    expect(model.tensors().map(({ name }) => name)).to.include(
      "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight",
    );
  });

  it("starts with A uniform within 1 / sqrt(inputs) and B zero, by its seed", async () => {
    const name = (factor: string) => `base_model.model.model.layers.0.self_attn.q_proj.lora_${factor}.weight`;
    await using one = await engine.loadModel(at("tiny"), { adapter: { rank: 8, seed: 1 } });
    await using two = await engine.loadModel(at("tiny"), { adapter: { rank: 8, seed: 2 } });
    const a = Array.from(await one.parameter(name("A")));
    expect(Math.max(...a.map(Math.abs))).to.be.within(0.9 / Math.sqrt(32), 1 / Math.sqrt(32));
    expect(Math.abs(a.reduce((sum, value) => sum + value, 0) / a.length)).to.be.below(0.02);
    expect(Array.from(await one.parameter(name("B"))).every((value) => value === 0)).to.equal(true);
    expect(Array.from(await two.parameter(name("A")))).to.not.deep.equal(a);
  });

  it("moves all its factors, and only those of its targets exist", async () => {
    await using model = await engine.loadModel(at("gpt2"), {
      adapter: { rank: 2, targets: ["c_proj", "c_attn"] },
    });
    expect(model.adapter?.targets).to.deep.equal(["c_attn", "c_proj"]);
    const before = new Map<string, Float32Array>();
    for (const { name } of model.tensors()) before.set(name, await model.parameter(name));
    expect(before.size).to.equal(2 * 3 * 2);
    await trainOnce(model);
    await trainOnce(model);
    for (const [name, values] of before)
      expect(Array.from(await model.parameter(name)), name).to.not.deep.equal(Array.from(values));
  });

  it("shares its base with others that learn apart from it", async () => {
    await using policy = await engine.loadModel(at("tiny"), { adapter: { rank: 4 } });
    await using value = await policy.addAdapter({ rank: 2, seed: 3 }, { scoreHead: {} });
    await using reward = await policy.addAdapter({ rank: 2, seed: 4 }, { scoreHead: { init: "zero" } });
    const start = await logprobs(policy);
    const scored = pairs(3);
    const lasts = { ...scored, ...lastTargets(scored) };
    const before = Array.from(await value.scores(lasts));
    expect(before.some((score) => score !== 0)).to.equal(true);
    expect(Array.from(await reward.scores(lasts)).every((score) => score === 0)).to.equal(true);
    for (let i = 0; i < 3; i++) {
      const { scores } = await value.step(lasts, {
        kind: "scores",
        form: "bradley-terry",
        normaliser: 3,
      });
      if (i === 0) expect(Array.from(scores, Math.fround)).to.deep.equal(before);
      await value.update({ learningRate: 1e-2 });
    }
    expect(Array.from(await value.scores(lasts))).to.not.deep.equal(before);
    expect(await logprobs(policy)).to.deep.equal(start);
    expect(Array.from(await reward.scores(lasts)).every((score) => score === 0)).to.equal(true);
  });

  it("gives a snapshot that stays as it was", async () => {
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 4 } });
    await using base = await model.snapshot();
    const start = await logprobs(base);
    await trainOnce(model);
    await using once = await model.snapshot();
    const after = await logprobs(model);
    await trainOnce(model);
    expect(await logprobs(base)).to.deep.equal(start);
    expect(await logprobs(once)).to.deep.equal(after);
    expect(await logprobs(model)).to.not.deep.equal(after);
  });

  it("keeps its base from being trained until it is disposed", async () => {
    await using whole = await engine.loadModel(at("tiny"));
    const model = await whole.addAdapter({ rank: 2 });
    const error = await failureOf(() => whole.step(batch, nll));
    expect(error.code).to.equal("ATTUNE_OPTION");
    expect(error.message).to.include("adapters or frozen views of it exist");
    await model.dispose();
    await trainOnce(whole);
  });

  it("names the tensors under it, and reads their values as they are now", async () => {
    const whole = await engine.loadModel(at("tiny"), { dtype: "bf16" });
    const start = await whole.parameter("model.norm.weight");
    await trainOnce(whole);
    const [names, trained] = [whole.tensors(), await whole.parameter("model.norm.weight")];
    await using model = await whole.addAdapter({ rank: 2 });
    await whole.dispose();
    expect(model.baseTensors()).to.deep.equal(names);
    expect(await model.parameter("model.norm.weight"))
      .to.deep.equal(trained)
      .and.not.deep.equal(start);
    expect((await failureOf(() => model.parameter("nothing"))).code).to.equal("ATTUNE_OPTION");
  });

  it("outlives the model it was added to", async () => {
    const whole = await engine.loadModel(at("tiny"), { dtype: "bf16" });
    await using model = await whole.addAdapter({ rank: 2 });
    const before = await logprobs(model);
    await whole.dispose();
    expect(await logprobs(model)).to.deep.equal(before);
    await trainOnce(model);
  });

  it("takes no memory for gradients and moments of the base, and plans what it takes", async () => {
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 4 }, dtype: "bf16" });
    await trainOnce(model);
    const { gradients, optimizer, weightsFp32, activations, head } = model.memory();
    expect(optimizer).to.equal(2 * gradients);
    // Panels round the rank's rows up.
    expect(gradients).to.be.within(4 * model.trainableParameters, 40 * model.trainableParameters);
    await using whole = await engine.loadModel(at("tiny"), { dtype: "bf16" });
    expect(gradients + weightsFp32).to.be.below(
      whole.plan({ rows: 1, targets: 1, training: true }).gradients * 2,
    );
    const plan = model.plan({ rows: batch.tokens.length, targets: batch.targets.length / 2, training: true });
    expect(plan).to.deep.equal({ ...model.memory(), activations, head });
    expect(plan.activations).to.equal(activations);
    expect(plan.head).to.equal(head);
  });

  it("counts the shared base once in the engine's memory", async () => {
    await using own = await createEngine({ threads: 2 });
    await using model = await own.loadModel(at("tiny"), { adapter: { rank: 2 } });
    const one = own.memory().total;
    await using other = await model.addAdapter({ rank: 2 });
    const factors = other.memory().total - other.baseMemory().total;
    expect(own.memory().total).to.equal(one + factors);
  });

  const wrong = [
    [{ rank: 0 }, "adapter.rank from 1"],
    [{ alpha: -1 }, "adapter.alpha above 0"],
    [
      { targets: ["q_proj", "qq_proj"] },
      'received "qq_proj". It has: q_proj, k_proj, v_proj, o_proj, gate_proj',
    ],
    [{ targets: [] }, "an empty list"],
    [[], "adapter: expected an object of options"],
    [{ ranks: 4 }, 'Did you mean "rank"?'],
    [{ seed: 0.5 }, "adapter.seed"],
  ] as const;
  for (const [options, text] of wrong) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      const error = await failureOf(() => engine.loadModel(at("tiny"), { adapter: options as object }));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.include(text);
    });
  }
});

/** One target per completion: the row of its last token. */
function lastTargets(batch: ReturnType<typeof pairs>): { targets: Int32Array; completions: Int32Array } {
  const count = batch.completions.length / 2;
  const targets = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const last = (batch.completions[2 * i] ?? 0) + (batch.completions[2 * i + 1] ?? 0) - 1;
    targets[2 * i] = batch.targets[2 * last] ?? 0;
  }
  return {
    targets,
    completions: Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / 2 : 1)),
  };
}
