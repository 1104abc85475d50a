// GGUF metadata -> ModelConfig, and the config.json that a Hugging Face folder of the same model would have.
// Must not read weights, except the few numbers of rope_freqs.weight that stand for Llama 3's scaling.

import { closeSync, openSync, readSync } from "node:fs";
import { type GgufHeader, type GgufTensor, ggufSpecialIds, readGguf } from "../text/index.js";
import { type ConfigReader, configReader } from "./config-reader.js";
import type { Json, ModelConfig, RopeScaling } from "./model-description.js";

const architectures = ["llama", "qwen2", "qwen3", "gpt2"] as const;
type Architecture = (typeof architectures)[number];

interface GgufModel {
  readonly architecture: Architecture;
  readonly header: GgufHeader;
  readonly names: ReadonlyMap<string, GgufTensor>;
  /** Reads keys of the architecture: `integer("block_count")` is `llama.block_count`. */
  readonly reader: ConfigReader;
  readonly path: string;
}

export function ggufModelConfig(options: { readonly path: string }): {
  readonly config: ModelConfig;
  readonly json: Json;
} {
  const { path } = options;
  const header = readGguf({ path });
  const plain = configReader({ where: path, get: (key) => header.metadata.get(key) });
  const named = plain.text("general.architecture");
  const architecture = architectures.find((name) => name === named);
  if (architecture === undefined) {
    const expected = `Expected one of: ${architectures.join(", ")}.`;
    throw plain.refuse(`Unknown architecture ${JSON.stringify(named)}. ${expected}`);
  }
  const names = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  const reader = prefixed(plain, `${architecture}.`, header);
  const model: GgufModel = { architecture, header, names, reader, path };
  const config = architecture === "gpt2" ? gpt2Config(model) : llamaConfig(model);
  return { config, json: jsonOf(model, config) };
}

function prefixed(plain: ConfigReader, prefix: string, header: GgufHeader): ConfigReader {
  return configReader({ where: plain.where, get: (key) => header.metadata.get(prefix + key) });
}

function llamaConfig(model: GgufModel): ModelConfig {
  const { reader, names, architecture } = model;
  if (reader.has("expert_count") && reader.number("expert_count") > 0)
    throw reader.refuse("mixtures of experts are not supported.");
  const width = reader.integer("embedding_length");
  const heads = reader.integer("attention.head_count");
  const headWidth = headWidthOf(reader, width, heads);
  return {
    family: "llama",
    vocabulary: vocabularyOf(model),
    width,
    layers: reader.integer("block_count"),
    heads,
    kvHeads: reader.integer("attention.head_count_kv", heads),
    headWidth,
    mlpWidth: reader.integer("feed_forward_length"),
    maxPositions: reader.integer("context_length"),
    normEpsilon: decimal(reader.number("attention.layer_norm_rms_epsilon")),
    ropeBase: decimal(reader.number("rope.freq_base", 10000)),
    ropeScaling: ropeScalingOf(model, headWidth),
    window: reader.has("attention.sliding_window") ? reader.integer("attention.sliding_window") : 0,
    qkvBias: names.has("blk.0.attn_q.bias"),
    outputBias: names.has("blk.0.attn_output.bias"),
    mlpBias: names.has("blk.0.ffn_down.bias"),
    qkNorm: names.has("blk.0.attn_q_norm.weight"),
    tied: !names.has("output.weight"),
    scoreHeads: 0,
    // Only the llama converter permutes the rows of q and k.
    ggufRopePairs: architecture === "llama",
  };
}

function gpt2Config(model: GgufModel): ModelConfig {
  const { reader, names } = model;
  const width = reader.integer("embedding_length");
  const heads = reader.integer("attention.head_count");
  return {
    family: "gpt2",
    vocabulary: vocabularyOf(model),
    width,
    layers: reader.integer("block_count"),
    heads,
    kvHeads: heads,
    headWidth: headWidthOf(reader, width, heads),
    mlpWidth: reader.integer("feed_forward_length"),
    maxPositions: reader.integer("context_length"),
    normEpsilon: decimal(reader.number("attention.layer_norm_epsilon")),
    ropeBase: 10000,
    ropeScaling: undefined,
    window: 0,
    qkvBias: true,
    outputBias: true,
    mlpBias: true,
    qkNorm: false,
    tied: tiedOutput(model, names.get("output.weight")),
    scoreHeads: 0,
    ggufRopePairs: false,
  };
}

/** GPT-2 converters of some versions repeat the tied matrix as output.weight. */
function tiedOutput({ header }: GgufModel, output: GgufTensor | undefined): boolean {
  if (output === undefined) return true;
  const embedding = header.tensors.find(({ name }) => name === "token_embd.weight");
  return embedding !== undefined && embedding.offset === output.offset;
}

function headWidthOf(reader: ConfigReader, width: number, heads: number): number {
  const headWidth = reader.has("attention.key_length")
    ? reader.integer("attention.key_length")
    : width / heads;
  if (!Number.isInteger(headWidth))
    throw reader.refuse(`expected embedding_length (${width}) to be a multiple of head_count (${heads}).`);
  const valueWidth = reader.integer("attention.value_length", headWidth);
  const rotated = reader.integer("rope.dimension_count", headWidth);
  if (valueWidth !== headWidth || rotated !== headWidth) {
    const found = `value_length ${valueWidth} and rope.dimension_count ${rotated}`;
    throw reader.refuse(`expected the head width ${headWidth} everywhere but found ${found}.`);
  }
  return headWidth;
}

/** Rows of the embedding; the metadata key is optional and can be wrong. */
function vocabularyOf({ names, reader }: GgufModel): number {
  const rows = names.get("token_embd.weight")?.dims[1];
  if (rows !== undefined) return rows;
  throw reader.refuse("expected a tensor token_embd.weight of two dimensions but there is none.");
}

/** Floats of the file are fp32: 1e-5 reads as 0.00000999999974738. */
function decimal(value: number): number {
  return Number(value.toPrecision(7));
}

/** The converters write Llama 3's scaling as one divisor per frequency; other kinds are named in the metadata. */
function ropeScalingOf({ reader, names, path }: GgufModel, headWidth: number): RopeScaling | undefined {
  const type = reader.text("rope.scaling.type", "none");
  if (type !== "none") {
    throw reader.refuse(
      `expected rope.scaling.type "none" but found "${type}". Long-context variants are not supported.`,
    );
  }
  const tensor = names.get("rope_freqs.weight");
  if (tensor === undefined) return undefined;
  if (tensor.typeName !== "F32" || tensor.dims.length !== 1 || tensor.dims[0] !== headWidth / 2) {
    throw reader.refuse(`expected rope_freqs.weight as ${headWidth / 2} numbers of type F32.`);
  }
  const divisors = readFloats(path, tensor);
  const scaling = {
    factor: Math.round(Math.max(...divisors) * 1e4) / 1e4,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 8192,
  };
  const base = decimal(reader.number("rope.freq_base", 10000));
  const fits = divisors.every((divisor, i) => {
    const expected = llama3Divisor(scaling, base ** ((2 * i) / headWidth));
    return Math.abs(divisor - expected) <= 1e-3 * expected;
  });
  if (fits) return scaling;
  throw reader.refuse(
    "expected rope_freqs.weight to follow Llama 3's scaling (low 1, high 4, original 8192 positions); other scalings are not supported.",
  );
}

/** What Llama 3's rule divides the frequency 1 / `period` by. */
function llama3Divisor(scaling: RopeScaling, period: number): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
  const turns = scaling.originalMaxPositions / (2 * Math.PI * period);
  if (turns < low) return factor;
  if (turns > high) return 1;
  const smooth = (turns - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

function readFloats(path: string, tensor: GgufTensor): number[] {
  const bytes = Buffer.alloc(tensor.bytes ?? 0);
  const file = openSync(path, "r");
  try {
    readSync(file, bytes, 0, bytes.length, tensor.offset);
  } finally {
    closeSync(file);
  }
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

const classes = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
  gpt2: "GPT2LMHeadModel",
} as const;

/** config.json in the older spelling, which every version of transformers reads. */
function jsonOf({ architecture, header }: GgufModel, config: ModelConfig): Json {
  const { eosIds, bosId } = ggufSpecialIds(header.metadata);
  const window = config.window > 0;
  // A llama with a sliding window is what transformers calls Mistral.
  const mistral = architecture === "llama" && window;
  const shared = {
    architectures: [mistral ? "MistralForCausalLM" : classes[architecture]],
    model_type: mistral ? "mistral" : architecture,
    vocab_size: config.vocabulary,
    // Null rather than absent: transformers' own defaults are ids of other vocabularies.
    bos_token_id: bosId ?? null,
    eos_token_id: eosIds[0] ?? null,
    tie_word_embeddings: config.tied,
    torch_dtype: "float32",
  };
  if (architecture === "gpt2") {
    return {
      ...shared,
      activation_function: "gelu_new",
      layer_norm_epsilon: config.normEpsilon,
      n_embd: config.width,
      n_head: config.heads,
      n_inner: config.mlpWidth,
      n_layer: config.layers,
      n_positions: config.maxPositions,
    };
  }
  return {
    ...shared,
    ...(architecture === "llama" && !mistral
      ? { attention_bias: config.qkvBias, mlp_bias: config.mlpBias }
      : {}),
    head_dim: config.headWidth,
    hidden_act: "silu",
    hidden_size: config.width,
    intermediate_size: config.mlpWidth,
    max_position_embeddings: config.maxPositions,
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    rms_norm_eps: config.normEpsilon,
    rope_scaling: ropeScalingJson(config.ropeScaling),
    rope_theta: config.ropeBase,
    ...(window ? { sliding_window: config.window } : {}),
    ...(architecture === "qwen2" || architecture === "qwen3"
      ? { use_sliding_window: window, ...(window ? { max_window_layers: 0 } : {}) }
      : {}),
  };
}

function ropeScalingJson(scaling: RopeScaling | undefined): Json | null {
  if (scaling === undefined) return null;
  return {
    rope_type: "llama3",
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalMaxPositions,
  };
}
