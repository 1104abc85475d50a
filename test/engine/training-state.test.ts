// Saved states: going on from one is the same, bit for bit, as not having stopped; what does not fit is refused by name.

import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import {
  createEngine,
  type Engine,
  type LoadModelOptions,
  type LossSpec,
  type Model,
} from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { TensorFile } from "../support/safetensors-reader.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

async function train(model: Model, updates: number): Promise<void> {
  for (let i = 0; i < updates; i++) {
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-3 * (i + 1), weightDecay: 0.01 });
  }
}

async function everything(model: Model): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = { logprobs: Array.from((await model.forward(batch)).logprobs) };
  for (const { name } of model.tensors()) values[name] = Array.from(await model.parameter(name));
  return values;
}

describe("a saved state", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("gpt2"), kind: "gpt2" });
    writeTinyModel({ folder: at("wider"), width: 64 });
    writeTinyGguf(at("model.gguf"), writeTinyModel({ folder: at("tiny") }));
  });
  after(() => engine.dispose());

  const ways: readonly (readonly [string, string, LoadModelOptions])[] = [
    ["a whole model in fp32", "tiny", {}],
    ["a whole model in bf16", "tiny", { dtype: "bf16" }],
    ["a whole GGUF in bf16", "model.gguf", { dtype: "bf16" }],
    ["transposed matrices and biases", "gpt2", { dtype: "bf16" }],
    ["an adapter", "tiny", { adapter: { rank: 3 } }],
    ["an adapter on a bf16 base", "gpt2", { adapter: { rank: 5 }, dtype: "bf16" }],
  ];
  for (const [what, path, options] of ways) {
    const load = () => engine.loadModel(at(path), options);

    it(`of ${what} goes on with the same bits`, async () => {
      const file = at("state.safetensors");
      await using straight = await load();
      await train(straight, 3);
      await straight.saveState(file);
      await using later = await load();
      await later.loadState(file);
      expect(await everything(later)).to.deep.equal(await everything(straight));
      await train(straight, 2);
      await train(later, 2);
      expect(await everything(later)).to.deep.equal(await everything(straight));
    });

    it(`of ${what} that never trained has its values alone and starts the same`, async () => {
      const file = at("fresh.safetensors");
      await using straight = await load();
      await straight.saveState(file);
      expect(new TensorFile(file).names.every((name) => /^(parameter\/|updates$)/.test(name))).to.equal(true);
      await using later = await load();
      await train(later, 1);
      await later.loadState(file);
      await train(straight, 2);
      await train(later, 2);
      expect(await everything(later)).to.deep.equal(await everything(straight));
    });
  }

  it("holds an adapter's score head too", async () => {
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 2 }, scoreHead: { seed: 3 } });
    await using other = await engine.loadModel(at("tiny"), {
      adapter: { rank: 2, seed: 9 },
      scoreHead: { seed: 4 },
    });
    await model.saveState(at("scored.safetensors"));
    await other.loadState(at("scored.safetensors"));
    const name = "base_model.model.score.weight";
    expect(Array.from(await other.parameter(name))).to.deep.equal(Array.from(await model.parameter(name)));
  });

  it("may have any name", async () => {
    await using model = await engine.loadModel(at("tiny"));
    await model.saveState(at("state"));
    await model.loadState(at("state"));
  });

  it("replaces the file before it and leaves nothing beside it", async () => {
    await using model = await engine.loadModel(at("tiny"));
    writeFileSync(at("again.safetensors"), "old");
    await model.saveState(at("again.safetensors"));
    expect(new TensorFile(at("again.safetensors")).integers("updates")).to.deep.equal(Int32Array.of(0, 0));
    expect(readdirSync(at()).filter((name) => name.includes("again"))).to.have.length(1);
  });

  it("of another model is refused, naming the first difference, and changes nothing", async () => {
    await using wider = await engine.loadModel(at("wider"));
    await wider.saveState(at("wider.safetensors"));
    await using model = await engine.loadModel(at("tiny"));
    const before = await everything(model);
    const error = await failureOf(() => model.loadState(at("wider.safetensors")));
    expect(error.code).to.equal("ATTUNE_RESUME");
    expect(error.message).to.match(
      /parameter\/model.embed_tokens.weight: expected shape \[259, 32\].*\[259, 64\]/,
    );
    expect(await everything(model)).to.deep.equal(before);
  });

  it("of a whole model is refused by an adapter", async () => {
    await using whole = await engine.loadModel(at("tiny"));
    await whole.saveState(at("whole.safetensors"));
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 2 } });
    const error = await failureOf(() => model.loadState(at("whole.safetensors")));
    expect(error.code).to.equal("ATTUNE_RESUME");
    expect(error.message).to.include("lora_A.weight");
  });

  it("that is cut short, missing or another file is refused", async () => {
    await using model = await engine.loadModel(at("tiny"));
    await model.saveState(at("cut.safetensors"));
    truncateSync(at("cut.safetensors"), readFileSync(at("cut.safetensors")).length - 100);
    for (const name of ["cut.safetensors", "none.safetensors", "tiny/model.safetensors"]) {
      const error = await failureOf(() => model.loadState(at(name)));
      expect(error.code, name).to.equal("ATTUNE_RESUME");
      expect(error.message).to.include(at(name));
    }
  });

  it("that cannot be written says where", async () => {
    await using model = await engine.loadModel(at("tiny"));
    const error = await failureOf(() => model.saveState(at("no/such/folder/state.safetensors")));
    expect(error.code).to.equal("ATTUNE_OUTPUT");
  });
});
