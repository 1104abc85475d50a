// config.json of transformers (both spellings of rotary settings) -> ModelConfig.
// Must not read files. A setting that changes the mathematics and is not supported is refused by name.

import type { ConfigReader } from "./config-reader.js";
import type { ModelConfig, RopeScaling } from "./model-description.js";
import { MOST_SCORE_HEADS } from "./score-head.js";

type Kind = "llama" | "mistral" | "qwen2" | "qwen3" | "gpt2";

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["Llama", "llama"],
  ["Mistral", "mistral"],
  ["Qwen2", "qwen2"],
  ["Qwen3", "qwen3"],
  ["GPT2", "gpt2"],
] as const);

const SCORE = "ForSequenceClassification";
const supported: readonly string[] = [...kinds.keys()].flatMap((name) => [
  name === "GPT2" ? "GPT2LMHeadModel" : `${name}ForCausalLM`,
  `${name}${SCORE}`,
]);

interface Architecture {
  readonly kind: Kind;
  readonly classifies: boolean;
}

export function huggingFaceConfig(reader: ConfigReader): ModelConfig {
  if (reader.has("quantization_config")) {
    throw reader.refuse(
      "expected plain weights but found quantization_config. Use the unquantised model or a GGUF.",
    );
  }
  const { kind, classifies } = architectureOf(reader);
  const scoreHeads = classifies ? labelCount(reader) : 0;
  return kind === "gpt2" ? gpt2Config(reader, scoreHeads) : llamaConfig(reader, kind, scoreHeads);
}

function architectureOf(reader: ConfigReader): Architecture {
  const list = reader.raw("architectures");
  const name: unknown = Array.isArray(list) && list.length === 1 ? list[0] : undefined;
  if (typeof name !== "string") {
    const found = list === undefined ? "nothing" : JSON.stringify(list);
    throw reader.refuse(`expected architectures to name one class but found ${found}.`);
  }
  const classifies = name.endsWith(SCORE);
  const stem = name.replace(/(ForCausalLM|ForSequenceClassification|LMHeadModel)$/, "");
  const kind = kinds.get(stem);
  if (kind === undefined || !supported.includes(name))
    // All of them: a name of similar letters may be another kind of model altogether.
    throw reader.refuse(
      `Unknown architecture ${JSON.stringify(name)}. Expected one of: ${supported.join(", ")}.`,
    );
  return { kind, classifies };
}

/** Of a sequence classifier: every label is a score. */
function labelCount(reader: ConfigReader): number {
  const labels = reader.raw("id2label") ?? undefined;
  // transformers' default is two labels.
  if (labels === undefined) return expectHeads(reader, reader.integer("num_labels", 2));
  if (typeof labels !== "object" || Array.isArray(labels))
    throw reader.refuse(`expected id2label to be an object but found ${JSON.stringify(labels)}.`);
  return expectHeads(reader, Object.keys(labels).length);
}

function expectHeads(reader: ConfigReader, count: number): number {
  if (count >= 1 && count <= MOST_SCORE_HEADS) return count;
  throw reader.refuse(`expected 1 to ${MOST_SCORE_HEADS} labels (scores) but the model has ${count}.`);
}

function llamaConfig(reader: ConfigReader, kind: Exclude<Kind, "gpt2">, scoreHeads: number): ModelConfig {
  expectText(reader, "hidden_act", "silu");
  if (reader.number("partial_rotary_factor", 1) !== 1)
    throw reader.refuse("partial_rotary_factor: only 1 is supported.");
  const width = reader.integer("hidden_size");
  const heads = reader.integer("num_attention_heads");
  const attentionBias = kind !== "qwen2" && kind !== "mistral" && reader.boolean("attention_bias", false);
  return {
    family: "llama",
    vocabulary: reader.integer("vocab_size"),
    width,
    layers: reader.integer("num_hidden_layers"),
    heads,
    kvHeads: keyValueHeads(reader, heads),
    headWidth: headWidthOf(reader, width, heads),
    mlpWidth: reader.integer("intermediate_size"),
    maxPositions: reader.integer("max_position_embeddings"),
    normEpsilon: reader.number("rms_norm_eps", 1e-6),
    ...rotary(reader),
    window: windowOf(reader, kind),
    qkvBias: kind === "qwen2" || attentionBias,
    outputBias: attentionBias,
    mlpBias: kind === "llama" && reader.boolean("mlp_bias", false),
    qkNorm: kind === "qwen3",
    tied: reader.boolean("tie_word_embeddings", false),
    scoreHeads,
    ggufRopePairs: false,
  };
}

function keyValueHeads(reader: ConfigReader, heads: number): number {
  const kvHeads = reader.integer("num_key_value_heads", heads);
  if (heads % kvHeads === 0) return kvHeads;
  throw reader.refuse(
    `expected num_attention_heads (${heads}) to be a multiple of num_key_value_heads (${kvHeads}).`,
  );
}

function headWidthOf(reader: ConfigReader, width: number, heads: number): number {
  if (reader.has("head_dim")) return reader.integer("head_dim");
  return evenShare(reader, ["hidden_size", width], ["num_attention_heads", heads]);
}

type Named = readonly [name: string, value: number];

function evenShare(reader: ConfigReader, [widthName, width]: Named, [headsName, heads]: Named): number {
  if (width % heads === 0) return width / heads;
  throw reader.refuse(`expected ${widthName} (${width}) to be a multiple of ${headsName} (${heads}).`);
}

/** transformers 5 writes `rope_parameters`, older versions `rope_theta` and `rope_scaling`. */
function rotary(reader: ConfigReader): Pick<ModelConfig, "ropeBase" | "ropeScaling"> {
  const parameters = objectOf(reader, "rope_parameters");
  const scaling = parameters ?? objectOf(reader, "rope_scaling");
  const base = parameters?.rope_theta ?? reader.number("rope_theta", 10000);
  if (typeof base !== "number" || !Number.isFinite(base) || base <= 0)
    throw reader.refuse(`expected rope_theta to be a positive number but found ${JSON.stringify(base)}.`);
  const type = scaling?.rope_type ?? scaling?.type ?? "default";
  if (type === "default" || scaling === undefined) return { ropeBase: base, ropeScaling: undefined };
  if (type !== "llama3") {
    const text = `expected rope type "default" or "llama3" but found ${JSON.stringify(type)}.`;
    throw reader.refuse(`${text} Long-context variants are not supported.`);
  }
  return { ropeBase: base, ropeScaling: llama3Scaling(reader, scaling) };
}

function llama3Scaling(reader: ConfigReader, scaling: Readonly<Record<string, unknown>>): RopeScaling {
  const number = (key: string): number => {
    const value = scaling[key];
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw reader.refuse(
      `expected ${key} of the llama3 rope type to be a positive number but found ${JSON.stringify(value)}.`,
    );
  };
  return {
    factor: number("factor"),
    lowFrequencyFactor: number("low_freq_factor"),
    highFrequencyFactor: number("high_freq_factor"),
    originalMaxPositions: number("original_max_position_embeddings"),
  };
}

function objectOf(reader: ConfigReader, key: string): Readonly<Record<string, unknown>> | undefined {
  const value = reader.raw(key) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw reader.refuse(`expected ${key} to be an object but found ${JSON.stringify(value)}.`);
}

/** 0 where no layer has a sliding window; layers that differ are refused. */
function windowOf(reader: ConfigReader, kind: Exclude<Kind, "gpt2">): number {
  if (kind === "llama") return 0;
  if (kind === "mistral") {
    // Null means none; a missing key is transformers' default.
    return reader.raw("sliding_window") === null ? 0 : reader.integer("sliding_window", 4096);
  }
  if (!reader.boolean("use_sliding_window", false)) return 0;
  const window = reader.raw("sliding_window") === null ? 0 : reader.integer("sliding_window", 4096);
  if (window === 0) return 0;
  const layers = reader.integer("num_hidden_layers");
  const sliding = slidingLayers(reader, layers);
  if (sliding === 0) return 0;
  if (sliding === layers) return window;
  throw reader.refuse(
    `expected all layers or none to have a sliding window but found ${sliding} of ${layers} (layer_types, max_window_layers).`,
  );
}

function slidingLayers(reader: ConfigReader, layers: number): number {
  const types = reader.raw("layer_types") ?? undefined;
  if (Array.isArray(types)) return types.filter((type) => type === "sliding_attention").length;
  // Layers from max_window_layers on slide; transformers' default is 28.
  return Math.max(0, layers - Math.max(0, reader.number("max_window_layers", 28)));
}

function gpt2Config(reader: ConfigReader, scoreHeads: number): ModelConfig {
  expectText(reader, "activation_function", "gelu_new");
  for (const [key, value] of [
    ["scale_attn_weights", true],
    ["scale_attn_by_inverse_layer_idx", false],
    ["add_cross_attention", false],
  ] as const) {
    if (reader.boolean(key, value) !== value)
      throw reader.refuse(
        `expected ${key} to be ${value} but found ${!value}; that variant is not supported.`,
      );
  }
  const width = reader.integer("n_embd");
  const heads = reader.integer("n_head");
  return {
    family: "gpt2",
    vocabulary: reader.integer("vocab_size"),
    width,
    layers: reader.integer("n_layer"),
    heads,
    kvHeads: heads,
    headWidth: evenShare(reader, ["n_embd", width], ["n_head", heads]),
    mlpWidth: reader.integer("n_inner", 4 * width),
    maxPositions: reader.integer("n_positions"),
    normEpsilon: reader.number("layer_norm_epsilon", 1e-5),
    ropeBase: 10000,
    ropeScaling: undefined,
    window: 0,
    qkvBias: true,
    outputBias: true,
    mlpBias: true,
    qkNorm: false,
    tied: reader.boolean("tie_word_embeddings", true),
    scoreHeads,
    ggufRopePairs: false,
  };
}

function expectText(reader: ConfigReader, key: string, value: string): void {
  const found = reader.text(key, value);
  if (found !== value)
    throw reader.refuse(`expected ${key} "${value}" but found "${found}", which is not supported.`);
}
