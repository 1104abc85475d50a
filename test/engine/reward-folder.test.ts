// Reward models on disk: what a folder holds, that it loads again to the same bits, and the notes of attune.json.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createEngine, type Engine, type LossSpec, type Model } from "../../lib/engine/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { scoredPairs } from "../support/reward-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { normalNumbers, writeTinyModel } from "../support/tiny-model.js";

const batch = scoredPairs(3);
const pairLoss: LossSpec = { kind: "scores", form: "bradley-terry", normaliser: 3 };
const normalisation = {
  bias: [0.25, -1],
  mean: [-0.25, 1],
  std: [2, 3],
  count: 7,
  dataHash: "ab12",
  unitStd: false,
};

describe("a reward model's folder", () => {
  const at = suiteFolder();
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 2 });
    writeTinyModel({ folder: at("untied"), tied: false });
    writeTinyModel({ folder: at("gpt2"), kind: "gpt2" });
    writeTinyGguf(at("model.gguf"), writeTinyModel({ folder: at("tiny") }));
  });
  after(() => engine.dispose());

  const json = (file: string) => JSON.parse(readFileSync(at(file), "utf8"));
  const scores = async (model: Model) => Array.from(await model.scores(batch));
  async function trained(path: string, options: object = {}): Promise<Model> {
    const model = await engine.loadModel(at(path), { scoreHead: { heads: 2, seed: 1 }, ...options });
    await model.step(batch, pairLoss);
    await model.update({ learningRate: 1e-2 });
    return model;
  }

  for (const [path, architecture] of [
    ["tiny", "LlamaForSequenceClassification"],
    ["untied", "LlamaForSequenceClassification"],
    ["gpt2", "GPT2ForSequenceClassification"],
    ["model.gguf", "LlamaForSequenceClassification"],
  ] as const)
    it(`is that of a sequence classifier, and loads to the same bits: ${path}`, async () => {
      const folder = `${path}-saved`;
      await using model = await trained(path);
      await model.save(at(folder));
      expect(json(`${folder}/config.json`)).to.deep.include({
        architectures: [architecture],
        id2label: { "0": "LABEL_0", "1": "LABEL_1" },
        label2id: { LABEL_0: 0, LABEL_1: 1 },
      });
      await using again = await engine.loadModel(at(folder));
      expect(again.scoreHeads).to.equal(2);
      expect(again.tensors()).to.deep.equal(model.tensors());
      expect(await scores(again)).to.deep.equal(await scores(model));
    });

  it("of a bf16 model loads to the same bits where it is saved in fp32", async () => {
    await using model = await trained("untied", { dtype: "bf16" });
    await model.save(at("full"), { dtype: "fp32" });
    await using again = await engine.loadModel(at("full"), { dtype: "bf16" });
    expect(await scores(again)).to.deep.equal(await scores(model));
  });

  it("names a padding that ends no answer, to the tokenizer too", async () => {
    const map = { eos_token: "<|endoftext|>", pad_token: "<|endoftext|>" };
    writeTinyModel({ folder: at("mapped"), config: { pad_token_id: 256 } });
    writeFileSync(at("mapped/special_tokens_map.json"), JSON.stringify(map));
    await using model = await trained("mapped");
    await model.save(at("padded"));
    expect(json("padded/config.json")).to.include({ pad_token_id: 257, eos_token_id: 256 });
    expect(json("padded/special_tokens_map.json").pad_token).to.equal("<|im_start|>");
    expect(json("padded/tokenizer_config.json")).to.include({
      pad_token: "<|im_start|>",
      padding_side: "right",
      eos_token: "<|endoftext|>",
    });
  });

  it("may hold several labels of another program", async () => {
    const next = normalNumbers(9);
    writeTinyModel({
      folder: at("labels"),
      kind: "reward",
      config: { id2label: { "0": "help", "1": "harm", "2": "truth" } },
      edit: (tensors) =>
        tensors.set("score.weight", { shape: [3, 32], values: Float32Array.from({ length: 96 }, next) }),
    });
    await using model = await engine.loadModel(at("labels"));
    expect(await scores(model)).to.have.length(18);
  });

  it("whose labels are not as many as its weights is refused, naming the tensor", async () => {
    writeTinyModel({ folder: at("torn"), kind: "reward", config: { id2label: { "0": "a", "1": "b" } } });
    const error = await failureOf(() => engine.loadModel(at("torn")));
    expect(error.code).to.equal("ATTUNE_MODEL");
    expect(error.message).to.include("score.weight: expected shape [2, 32]");
  });

  it("of an adapter keeps all its heads, and merges into a classifier", async () => {
    await using model = await trained("tiny", { adapter: { rank: 2 } });
    await model.save(at("adapter"));
    expect(json("adapter/adapter_config.json")).to.deep.include({
      task_type: "SEQ_CLS",
      modules_to_save: ["score"],
    });
    await using again = await engine.loadModel(at("adapter"));
    expect(again.scoreHeads).to.equal(2);
    expect(await scores(again)).to.deep.equal(await scores(model));
    await model.saveMerged(at("merged"));
    await using merged = await engine.loadModel(at("merged"));
    const [own, other] = [await scores(merged), await scores(model)];
    expect(own).to.have.length(12);
    expect(Math.max(...own.map((score, i) => Math.abs(score - (other[i] ?? Number.NaN))))).to.be.below(1e-5);
  });

  it("of an adapter on a classifier loads onto it", async () => {
    await using reward = await trained("tiny");
    await reward.save(at("base"));
    await using model = await engine.loadModel(at("base"), { adapter: { rank: 2 } });
    await model.step(batch, pairLoss);
    await model.update({ learningRate: 1e-2 });
    await model.save(at("on-base"));
    await using again = await engine.loadModel(at("on-base"));
    expect(await scores(again)).to.deep.equal(await scores(model));
  });

  describe("and what is added to its scores", () => {
    for (const [what, options] of [
      ["a whole model", {}],
      ["an adapter", { adapter: { rank: 2 } }],
    ] as const)
      it(`stays with ${what}`, async () => {
        await using model = await trained("tiny", options);
        expect(model.scoreNormalisation).to.equal(undefined);
        model.scoreNormalisation = normalisation;
        await model.save(at("noted"));
        expect(json("noted/attune.json").scoreNormalisation).to.deep.equal(normalisation);
        await using again = await engine.loadModel(at("noted"));
        expect(again.scoreNormalisation).to.deep.equal(normalisation);
      });

    it("stays with a merged model", async () => {
      await using model = await trained("tiny", { adapter: { rank: 2 } });
      model.scoreNormalisation = normalisation;
      await model.saveMerged(at("noted-merged"));
      await using again = await engine.loadModel(at("noted-merged/model.safetensors"));
      expect(again.scoreNormalisation).to.deep.equal(normalisation);
    });

    it("goes along with a copy of the heads", async () => {
      await using model = await trained("tiny");
      model.scoreNormalisation = normalisation;
      await using adapted = await model.addAdapter({ rank: 2 });
      expect(adapted.scoreNormalisation).to.deep.equal(normalisation);
    });

    it("is not left behind by an earlier model of the folder", async () => {
      await using model = await trained("tiny");
      model.scoreNormalisation = normalisation;
      await model.save(at("reused"));
      model.scoreNormalisation = undefined;
      await model.save(at("reused"));
      expect(existsSync(at("reused/attune.json"))).to.equal(false);
    });

    it("is written without keys that are none of it", async () => {
      await using model = await trained("tiny");
      model.scoreNormalisation = { ...normalisation, note: "mine" } as typeof normalisation;
      await model.save(at("plain"));
      expect(json("plain/attune.json")).to.deep.equal({ scoreNormalisation: normalisation });
    });

    for (const [key, value] of [
      ["bias", [1]],
      ["bias", [1, Number.NaN]],
      ["std", undefined],
      ["count", -1],
      ["dataHash", 5],
      ["unitStd", "no"],
    ] as const) {
      it(`is refused with ${key} ${JSON.stringify(value)}`, async () => {
        await using model = await trained("tiny");
        const error = await failureOf(() => {
          model.scoreNormalisation = { ...normalisation, [key]: value } as typeof normalisation;
        });
        expect(error.code).to.equal("ATTUNE_OPTION");
        expect(error.message).to.include(`scoreNormalisation.${key}`);
        expect(model.scoreNormalisation).to.equal(undefined);
      });
    }

    it("is refused, naming the file and the key, where the file is damaged", async () => {
      await using model = await trained("tiny");
      model.scoreNormalisation = normalisation;
      await model.save(at("damaged"));
      for (const [contents, expected] of [
        [
          JSON.stringify({ scoreNormalisation: { ...normalisation, mean: ["x", 1] } }),
          "scoreNormalisation.mean",
        ],
        [JSON.stringify({ scoreNormalisation: [] }), "scoreNormalisation to be an object"],
        ["{", "attune.json"],
      ] as const) {
        writeFileSync(at("damaged/attune.json"), contents);
        const error = await failureOf(() => engine.loadModel(at("damaged")));
        expect(error.code).to.equal("ATTUNE_FORMAT");
        expect(error.message).to.include(at("damaged/attune.json")).and.include(expected);
      }
    });

    it("is refused for a language model", async () => {
      await using model = await engine.loadModel(at("tiny"));
      const error = await failureOf(() => {
        model.scoreNormalisation = normalisation;
      });
      expect(error.code).to.equal("ATTUNE_MODEL");
    });
  });
});
