// Configurations of models: both spellings, what is refused and how it is said.

import { mkdirSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { configReader } from "../../lib/engine/config-reader.js";
import { huggingFaceConfig } from "../../lib/engine/hugging-face-config.js";
import { readModelConfig } from "../../lib/engine/model-config.js";
import type { ModelConfig } from "../../lib/engine/model-description.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

const llama = {
  architectures: ["LlamaForCausalLM"],
  vocab_size: 300,
  hidden_size: 64,
  intermediate_size: 176,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
};

function read(json: Readonly<Record<string, unknown>>): ModelConfig {
  return huggingFaceConfig(configReader({ where: "config.json", get: (key) => json[key] }));
}

async function refusal(json: Readonly<Record<string, unknown>>): Promise<string> {
  const error = await failureOf(() => read(json));
  expect(error.code).to.equal("ATTUNE_MODEL");
  return error.message;
}

describe("config.json", () => {
  it("reads the rotary settings of transformers 5 and of older versions alike", () => {
    const scaling = {
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 32,
    };
    const newer = read({ ...llama, rope_parameters: { rope_type: "llama3", rope_theta: 5e5, ...scaling } });
    const older = read({ ...llama, rope_theta: 5e5, rope_scaling: { type: "llama3", ...scaling } });
    expect(newer).to.deep.equal(older);
    expect(newer.ropeScaling?.factor).to.equal(8);
    expect(newer.ropeBase).to.equal(5e5);
  });

  it("takes transformers' defaults for what a file may leave out", () => {
    const config = read({ ...llama, num_key_value_heads: undefined });
    expect(config).to.deep.include({
      kvHeads: 4,
      headWidth: 16,
      normEpsilon: 1e-6,
      ropeBase: 10000,
      tied: false,
    });
  });

  it("gives qwen2 biases on q, k and v only", () => {
    const config = read({ ...llama, architectures: ["Qwen2ForCausalLM"] });
    expect(config).to.deep.include({ qkvBias: true, outputBias: false, qkNorm: false });
  });

  it("gives qwen3 norms of q and k", () => {
    expect(read({ ...llama, architectures: ["Qwen3ForCausalLM"] }).qkNorm).to.equal(true);
  });

  it("gives a llama with attention_bias biases on q, k, v and the output", () => {
    const config = read({ ...llama, attention_bias: true, mlp_bias: true });
    expect(config).to.deep.include({ qkvBias: true, outputBias: true, mlpBias: true });
  });

  it("gives a sequence classifier a score head for each label, transformers' two where it names none", () => {
    const json = { ...llama, architectures: ["LlamaForSequenceClassification"] };
    expect(read(llama).scoreHeads).to.equal(0);
    expect(read({ ...json, id2label: { "0": "reward" } }).scoreHeads).to.equal(1);
    expect(read({ ...json, id2label: { "0": "a", "1": "b", "2": "c" } }).scoreHeads).to.equal(3);
    expect(read({ ...json, num_labels: 5 }).scoreHeads).to.equal(5);
    expect(read(json).scoreHeads).to.equal(2);
  });

  it("refuses a sequence classifier without labels, or with labels that are no object", async () => {
    const json = { ...llama, architectures: ["LlamaForSequenceClassification"] };
    expect(await refusal({ ...json, id2label: {} })).to.contain("expected 1 to 1024 labels (scores)");
    expect(await refusal({ ...json, id2label: ["a"] })).to.contain("expected id2label to be an object");
  });

  it("names an architecture it does not support", async () => {
    const message = await refusal({ ...llama, architectures: ["GemmaForCausalLM"] });
    expect(message).to.contain('Unknown architecture "GemmaForCausalLM"').and.contain("LlamaForCausalLM");
    // Names of similar letters are no hint here.
    expect(message).to.contain("Qwen3ForCausalLM").and.not.contain("Did you mean");
  });

  it("names a rope type it does not support", async () => {
    const message = await refusal({ ...llama, rope_scaling: { rope_type: "yarn", factor: 4 } });
    expect(message).to.contain('"yarn"');
  });

  it("names an activation it does not support", async () => {
    expect(await refusal({ ...llama, hidden_act: "gelu" })).to.contain(
      'expected hidden_act "silu" but found "gelu"',
    );
  });

  it("names a missing number", async () => {
    const message = await refusal({ ...llama, hidden_size: undefined });
    expect(message).to.contain("expected hidden_size to be a positive integer but found nothing");
  });

  for (const value of [-1, 0, 1.5, "64", 1e12]) {
    it(`names an absurd number: hidden_size ${JSON.stringify(value)}`, async () => {
      const message = await refusal({ ...llama, hidden_size: value });
      expect(message).to.contain(`hidden_size to be a positive integer but found ${JSON.stringify(value)}`);
    });
  }

  it("refuses heads that key/value heads do not divide", async () => {
    expect(await refusal({ ...llama, num_key_value_heads: 3 })).to.contain("(4) to be a multiple of");
  });

  it("refuses quantised weights", async () => {
    expect(await refusal({ ...llama, quantization_config: { bits: 4 } })).to.contain("quantization_config");
  });

  const qwen = { ...llama, architectures: ["Qwen2ForCausalLM"], sliding_window: 8 };

  it("ignores qwen2's window unless use_sliding_window is true", () => {
    expect(read({ ...qwen, use_sliding_window: false, max_window_layers: 1 }).window).to.equal(0);
  });

  it("takes qwen2's window where all layers have it", () => {
    expect(read({ ...qwen, use_sliding_window: true, max_window_layers: 0 }).window).to.equal(8);
  });

  it("takes no window where max_window_layers leaves no layer to slide", () => {
    expect(read({ ...qwen, use_sliding_window: true, max_window_layers: 4 }).window).to.equal(0);
  });

  it("refuses layers of which only some have a window", async () => {
    const message = await refusal({ ...qwen, use_sliding_window: true, max_window_layers: 1 });
    expect(message).to.contain("found 3 of 4");
  });

  it("takes mistral's window, and none for null", () => {
    const mistral = { ...llama, architectures: ["MistralForCausalLM"] };
    expect(read({ ...mistral, sliding_window: 16 }).window).to.equal(16);
    expect(read({ ...mistral, sliding_window: null }).window).to.equal(0);
  });

  it("refuses gpt2 with another activation than gelu_new", async () => {
    const gpt2 = { architectures: ["GPT2LMHeadModel"], vocab_size: 300, n_embd: 64, n_layer: 2, n_head: 4 };
    expect(await refusal({ ...gpt2, n_positions: 64, activation_function: "relu" })).to.contain('"relu"');
  });
});

describe("model paths", () => {
  const at = suiteFolder();

  for (const kind of ["llama", "qwen2", "qwen3", "gpt2"] as const) {
    it(`reads the same numbers from ${kind} as a folder and as a GGUF`, async () => {
      const model = writeTinyModel({ folder: at(kind), kind });
      writeTinyGguf(at(`${kind}.gguf`), model);
      const folder = await readModelConfig({ path: model.folder });
      const gguf = await readModelConfig({ path: at(`${kind}.gguf`) });
      expect({ ...gguf.config, ggufRopePairs: false }).to.deep.equal(folder.config);
    });
  }

  it("makes a config.json from a GGUF that reads back as the same model", async () => {
    const model = writeTinyModel({ folder: at("source"), kind: "qwen3", tied: false });
    writeTinyGguf(at("source.gguf"), model);
    const { config, json } = await readModelConfig({ path: at("source.gguf") });
    expect(read(json)).to.deep.equal(config);
  });

  it("says that a path does not exist", async () => {
    const error = await failureOf(() => readModelConfig({ path: at("nothing") }));
    expect(error.code).to.equal("ATTUNE_FILE");
    expect(error.message).to.contain(at("nothing"));
  });

  it("points at the GGUF file in a folder without safetensors", async () => {
    mkdirSync(at("only-gguf"));
    writeFileSync(at("only-gguf", "model.gguf"), "");
    const error = await failureOf(() => readModelConfig({ path: at("only-gguf") }));
    expect(error.message).to.contain("It holds model.gguf: give the path of that file");
  });

  it("says that config.json is missing", async () => {
    mkdirSync(at("bare"));
    writeFileSync(at("bare", "model.safetensors"), "");
    const error = await failureOf(() => readModelConfig({ path: at("bare") }));
    expect(error.code).to.equal("ATTUNE_FILE");
    expect(error.message).to.contain("config.json");
  });

  it("says that config.json is not JSON", async () => {
    mkdirSync(at("broken"));
    writeFileSync(at("broken", "model.safetensors"), "");
    writeFileSync(at("broken", "config.json"), '{"architectures": [');
    const error = await failureOf(() => readModelConfig({ path: at("broken") }));
    expect(error.code).to.equal("ATTUNE_FORMAT");
  });

  it("names the architecture of a GGUF it does not support", async () => {
    const model = writeTinyModel({ folder: at("gemma") });
    writeTinyGguf(at("gemma.gguf"), { ...model, config: { ...model.config, model_type: "gemma" } });
    const error = await failureOf(() => readModelConfig({ path: at("gemma.gguf") }));
    expect(error.code).to.equal("ATTUNE_MODEL");
    expect(error.message).to.contain('Unknown architecture "gemma"').and.contain("llama, qwen2, qwen3, gpt2");
  });
});
