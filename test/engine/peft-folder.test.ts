// Adapters on disk in PEFT's form: what save writes, what loading accepts, and what it refuses by name.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type Engine, type LossSpec, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations } from "../support/packed-rows.js";
import { TensorFile } from "../support/safetensors-reader.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const batch = demonstrations(3);
const nll: LossSpec = { kind: "nll", normaliser: batch.counts.targets };

describe("an adapter's folder", () => {
  const at = suiteFolder();
  let engine: Engine;
  let saved: number[];

  const logprobs = async (model: Pick<Model, "forward">): Promise<number[]> =>
    Array.from((await model.forward(batch)).logprobs);
  const json = (folder: string): Record<string, unknown> =>
    JSON.parse(readFileSync(at(folder, "adapter_config.json"), "utf8"));

  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("tiny") });
    writeTinyModel({ folder: at("gpt2"), kind: "gpt2" });
    writeTinyModel({ folder: at("wider"), width: 64 });
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 3, alpha: 5, rsLora: true } });
    await model.step(batch, nll);
    await model.update({ learningRate: 1e-2 });
    saved = await logprobs(model);
    await model.save(at("saved"));
  });
  after(() => engine.dispose());

  /** A copy of the saved folder with other settings. */
  function altered(name: string, changes: object): string {
    mkdirSync(at(name), { recursive: true });
    writeFileSync(at(name, "adapter_config.json"), JSON.stringify({ ...json("saved"), ...changes }));
    writeFileSync(at(name, "adapter_model.safetensors"), readFileSync(at("saved/adapter_model.safetensors")));
    return at(name);
  }

  it("says what PEFT needs to know", () => {
    expect(json("saved")).to.deep.include({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      r: 3,
      lora_alpha: 5,
      use_rslora: true,
      base_model_name_or_path: at("tiny"),
      fan_in_fan_out: false,
      target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    });
  });

  it("has A as [rank, inputs] and B as [outputs, rank] under PEFT's names, and the tokenizer beside them", () => {
    const file = new TensorFile(at("saved/adapter_model.safetensors"));
    const name = "base_model.model.model.layers.1.mlp.gate_proj";
    expect(file.at(`${name}.lora_A.weight`).shape).to.deep.equal([3, 32]);
    expect(file.at(`${name}.lora_B.weight`).shape).to.deep.equal([88, 3]);
    expect(file.names).to.have.length(2 * 7 * 2);
    expect(readFileSync(at("saved/tokenizer.json"))).to.deep.equal(readFileSync(at("tiny/tokenizer.json")));
  });

  it("loads by itself, with the model it names, to the same bits", async () => {
    await using model = await engine.loadModel(at("saved"));
    expect(model.source).to.equal(at("tiny"));
    expect(await logprobs(model)).to.deep.equal(saved);
  });

  it("loads onto a model that is named, and beside another adapter", async () => {
    await using model = await engine.loadModel(at("tiny"), { adapter: at("saved") });
    await using again = await model.addAdapter(at("saved"));
    expect(await logprobs(model)).to.deep.equal(saved);
    expect(await logprobs(again)).to.deep.equal(saved);
  });

  it("writes full names where an adapter does not change every layer of a name", async () => {
    const targets = ["h.0.attn.c_proj", "h.1.mlp.c_proj"];
    await using model = await engine.loadModel(at("gpt2"), { adapter: { rank: 2, targets } });
    await model.save(at("some"));
    expect(json("some")).to.deep.include({
      fan_in_fan_out: true,
      target_modules: targets.map((name) => `transformer.${name}`),
    });
    await using again = await engine.loadModel(at("some"));
    expect(again.tensors()).to.deep.equal(model.tensors());
  });

  it("keeps a score head, as a module that PEFT saves whole", async () => {
    await using model = await engine.loadModel(at("tiny"), { adapter: { rank: 2 }, scoreHead: { seed: 4 } });
    await model.save(at("scored"));
    expect(json("scored")).to.deep.include({ task_type: "SEQ_CLS", modules_to_save: ["score"] });
    await using again = await engine.loadModel(at("scored"));
    const name = "base_model.model.score.weight";
    expect(again.adapter?.scoreHead).to.equal(true);
    expect(Array.from(await again.parameter(name))).to.deep.equal(Array.from(await model.parameter(name)));
  });

  it("merges into a folder that is a whole model with the same log-probs", async () => {
    await using model = await engine.loadModel(at("saved"));
    await model.saveMerged(at("merged"));
    await using merged = await engine.loadModel(at("merged"));
    const own = await logprobs(merged);
    expect(Math.max(...own.map((value, i) => Math.abs(value - (saved[i] ?? Number.NaN))))).to.be.below(1e-5);
    const error = await failureOf(() => merged.saveMerged(at("twice")));
    expect(error.code).to.equal("ATTUNE_OPTION");
  });

  it("merges a scalar head into a sequence classifier", async () => {
    await using model = await engine.loadModel(at("scored"));
    await model.saveMerged(at("classifier"));
    const config = JSON.parse(readFileSync(at("classifier/config.json"), "utf8"));
    expect(config.architectures).to.deep.equal(["LlamaForSequenceClassification"]);
    await using merged = await engine.loadModel(at("classifier"));
    const lasts = { ...batch, completions: Int32Array.of(), groups: Int32Array.of() };
    const [own, other] = [await merged.scores(lasts), await model.scores(lasts)];
    expect(Math.max(...own.map((value, i) => Math.abs(value - (other[i] ?? Number.NaN))))).to.be.below(1e-5);
  });

  for (const [what, target_modules, count] of [
    ["all-linear", "all-linear", 14],
    ["a regular expression over full names", ".*\\.(q|k|v|o)_proj|.*\\.mlp\\..*", 14],
  ] as const) {
    it(`may give its layers as ${what}`, async () => {
      await using model = await engine.loadModel(altered("other", { target_modules }));
      expect(model.tensors()).to.have.length(2 * count);
      expect(await logprobs(model)).to.deep.equal(saved);
    });
  }

  const refused: readonly (readonly [object, string])[] = [
    [{ peft_type: "IA3" }, "peft_type"],
    [{ bias: "all" }, "bias"],
    [{ use_dora: true }, "use_dora"],
    [{ lora_bias: true }, "lora_bias"],
    [{ rank_pattern: { q_proj: 8 } }, "rank_pattern"],
    [{ alpha_pattern: { q_proj: 8 } }, "alpha_pattern"],
    [{ layers_to_transform: [0] }, "layers_to_transform"],
    [{ init_lora_weights: "pissa" }, "init_lora_weights"],
    [{ modules_to_save: ["lm_head"] }, "lm_head"],
    [{ r: 0 }, "expected r above 0"],
    [{ r: 3.5 }, "expected r to be an integer from 1 to 4096"],
    [{ r: 5000 }, "expected r to be an integer from 1 to 4096"],
    [{ use_rslora: "yes" }, "use_rslora"],
    [{ lora_alpha: 1e300 }, "expected lora_alpha up to"],
    [{ target_modules: ["q_proj", "lm_head"] }, "lm_head"],
    [{ target_modules: "(" }, "regular expression"],
    [{ target_modules: ["q_proj"] }, "no place for it"],
    [{ r: 4 }, "lora_A.weight: expected shape [4, 32]"],
    [{ base_model_name_or_path: "someone/else" }, "someone/else"],
  ];
  for (const [changes, text] of refused) {
    it(`is refused with ${JSON.stringify(changes)}`, async () => {
      const error = await failureOf(() => engine.loadModel(altered("refused", changes)));
      expect(error.code).to.equal("ATTUNE_MODEL");
      expect(error.message).to.include(text);
    });
  }

  it("for another base is refused, naming the tensor", async () => {
    const error = await failureOf(() => engine.loadModel(at("wider"), { adapter: at("saved") }));
    expect(error.code).to.equal("ATTUNE_MODEL");
    expect(error.message).to.match(/q_proj.lora_A.weight: expected shape \[3, 64\].*\[3, 32\]/);
  });

  it("for other weights of the same shapes is refused, whatever form its own base comes in", async () => {
    await using base = await engine.loadModel(at("tiny"));
    await base.save(at("same-bf16"), { dtype: "bf16" });
    for (const [folder, dtype] of [
      [at("tiny"), "bf16"],
      [at("same-bf16"), "fp32"],
    ] as const)
      await (await engine.loadModel(folder, { dtype, adapter: at("saved") })).dispose();

    await base.step(batch, nll);
    await base.update({ learningRate: 1e-3 });
    await base.save(at("trained"));
    for (const attempt of [
      () => engine.loadModel(at("trained"), { adapter: at("saved") }),
      () => base.addAdapter(at("saved")),
    ]) {
      const error = await failureOf(attempt);
      expect(error.code).to.equal("ATTUNE_MODEL");
      expect(error.message).to.include("fingerprint").and.include(at("saved/attune.json"));
    }
    // Nothing is left that would keep the base from training.
    await base.step(batch, nll);
  });

  it("that another program wrote says nothing of its base's weights and is taken", async () => {
    expect(altered("foreign", {})).to.equal(at("foreign"));
    await (await engine.loadModel(at("trained"), { adapter: at("foreign") })).dispose();
  });

  it("without weights, and one that is none, are refused", async () => {
    mkdirSync(at("bare"));
    writeFileSync(at("bare/adapter_config.json"), JSON.stringify(json("saved")));
    for (const folder of [at("bare"), at("nowhere")]) {
      const error = await failureOf(() => engine.loadModel(at("tiny"), { adapter: folder }));
      expect(error.code).to.equal("ATTUNE_FILE");
      expect(error.message).to.include(folder);
    }
  });
});
