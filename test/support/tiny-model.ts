// Writes a small random model as a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
// The same options give the same bytes. Must not import the library: it feeds it.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TINY_EOS, TINY_VOCABULARY, tinyTokenizer, tinyTokenizerConfig } from "./tiny-tokenizer.js";
import { type TestTensor, writeSafetensors } from "./write-safetensors.js";

export interface TinyModelOptions {
  /** Created when it is missing. */
  readonly folder: string;
  /** Default "llama". "reward" is LlamaForSequenceClassification with one label. */
  readonly kind?: "llama" | "qwen2" | "qwen3" | "mistral" | "gpt2" | "reward";
  /** Default 1. */
  readonly seed?: number;
  /** Default 2. */
  readonly layers?: number;
  /** Hidden size; default 32. */
  readonly width?: number;
  /** Query heads; default 4. */
  readonly heads?: number;
  /** Key/value heads; default 2 (gpt2: as many as heads). */
  readonly kvHeads?: number;
  /** Default 88 (gpt2: 4 * width). */
  readonly mlpWidth?: number;
  /** Default 259, which is what the tokenizer has. */
  readonly vocabularySize?: number;
  /** Default 256. */
  readonly maxPositions?: number;
  /** Default true, as gpt2 always is; reward models have no output matrix. */
  readonly tied?: boolean;
  /** Standard deviation of the matrices; default 0.1, so that outputs differ visibly. */
  readonly deviation?: number;
  /** Replaces or adds keys of config.json, for tests of bad input. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Changes the tensors before they are written, for tests of bad input. */
  readonly edit?: (tensors: Map<string, TestTensor>) => void;
}

export interface TinyModel {
  readonly folder: string;
  readonly weights: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, TestTensor>;
}

/** Standard normal numbers: mulberry32 and Box-Muller. */
export function normalNumbers(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

type Sizes = Required<Omit<TinyModelOptions, "folder" | "config" | "edit">>;

function sizesOf(options: TinyModelOptions): Sizes {
  const { kind = "llama", width = 32, heads = 4 } = options;
  return {
    kind,
    width,
    heads,
    seed: options.seed ?? 1,
    layers: options.layers ?? 2,
    kvHeads: kind === "gpt2" ? heads : (options.kvHeads ?? 2),
    mlpWidth: options.mlpWidth ?? (kind === "gpt2" ? 4 * width : 88),
    vocabularySize: options.vocabularySize ?? TINY_VOCABULARY,
    maxPositions: options.maxPositions ?? 256,
    tied: kind === "gpt2" || (kind !== "reward" && (options.tied ?? true)),
    deviation: options.deviation ?? 0.1,
  };
}

const ARCHITECTURES = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
  mistral: "MistralForCausalLM",
  gpt2: "GPT2LMHeadModel",
  reward: "LlamaForSequenceClassification",
} as const;

function configOf(sizes: Sizes): Record<string, unknown> {
  const shared = {
    architectures: [ARCHITECTURES[sizes.kind]],
    model_type: sizes.kind === "reward" ? "llama" : sizes.kind,
    dtype: "float32",
    vocab_size: sizes.vocabularySize,
    bos_token_id: null,
    eos_token_id: TINY_EOS,
    tie_word_embeddings: sizes.tied,
    transformers_version: "5.0.0",
  };
  if (sizes.kind === "gpt2") {
    return {
      ...shared,
      n_positions: sizes.maxPositions,
      n_embd: sizes.width,
      n_layer: sizes.layers,
      n_head: sizes.heads,
      n_inner: sizes.mlpWidth,
      activation_function: "gelu_new",
      layer_norm_epsilon: 1e-5,
    };
  }
  return {
    ...shared,
    ...(sizes.kind === "reward" ? { id2label: { "0": "LABEL_0" }, label2id: { LABEL_0: 0 } } : {}),
    hidden_size: sizes.width,
    intermediate_size: sizes.mlpWidth,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    num_key_value_heads: sizes.kvHeads,
    head_dim: sizes.width / sizes.heads,
    hidden_act: "silu",
    max_position_embeddings: sizes.maxPositions,
    rms_norm_eps: 1e-5,
    rope_parameters: { rope_type: "default", rope_theta: 10000 },
    ...(sizes.kind === "mistral" ? { sliding_window: 16 } : {}),
    ...(sizes.kind === "qwen2" || sizes.kind === "qwen3" ? { use_sliding_window: false } : {}),
  };
}

type Shapes = [name: string, shape: number[]][];

function gpt2Shapes({ width: C, layers, mlpWidth: F, vocabularySize: V, maxPositions }: Sizes): Shapes {
  const shapes: Shapes = [
    ["transformer.wte.weight", [V, C]],
    ["transformer.wpe.weight", [maxPositions, C]],
  ];
  const affine = (name: string, inputs: number, outputs: number): Shapes => [
    [`${name}.weight`, [inputs, outputs]],
    [`${name}.bias`, [outputs]],
  ];
  const norm = (name: string): Shapes => [
    [`${name}.weight`, [C]],
    [`${name}.bias`, [C]],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `transformer.h.${layer}`;
    shapes.push(...norm(`${at}.ln_1`), ...affine(`${at}.attn.c_attn`, C, 3 * C));
    shapes.push(...affine(`${at}.attn.c_proj`, C, C), ...norm(`${at}.ln_2`));
    shapes.push(...affine(`${at}.mlp.c_fc`, C, F), ...affine(`${at}.mlp.c_proj`, F, C));
  }
  return [...shapes, ...norm("transformer.ln_f")];
}

function llamaShapes(sizes: Sizes): Shapes {
  const { width: C, heads: H, kvHeads: G, mlpWidth: F, vocabularySize: V } = sizes;
  const D = C / H;
  const shapes: Shapes = [["model.embed_tokens.weight", [V, C]]];
  for (let layer = 0; layer < sizes.layers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.push([`${at}.input_layernorm.weight`, [C]]);
    for (const [name, rows] of [
      ["q", H * D],
      ["k", G * D],
      ["v", G * D],
    ] as const) {
      shapes.push([`${at}.self_attn.${name}_proj.weight`, [rows, C]]);
      if (sizes.kind === "qwen2") shapes.push([`${at}.self_attn.${name}_proj.bias`, [rows]]);
      if (sizes.kind === "qwen3" && name !== "v") shapes.push([`${at}.self_attn.${name}_norm.weight`, [D]]);
    }
    shapes.push([`${at}.self_attn.o_proj.weight`, [C, H * D]]);
    shapes.push([`${at}.post_attention_layernorm.weight`, [C]]);
    shapes.push([`${at}.mlp.gate_proj.weight`, [F, C]], [`${at}.mlp.up_proj.weight`, [F, C]]);
    shapes.push([`${at}.mlp.down_proj.weight`, [C, F]]);
  }
  shapes.push(["model.norm.weight", [C]]);
  if (sizes.kind === "reward") shapes.push(["score.weight", [1, C]]);
  else if (!sizes.tied) shapes.push(["lm_head.weight", [V, C]]);
  return shapes;
}

/** Writes the folder and returns what it holds. */
export function writeTinyModel(options: TinyModelOptions): TinyModel {
  const sizes = sizesOf(options);
  const next = normalNumbers(sizes.seed);
  const tensors = new Map<string, TestTensor>();
  for (const [name, shape] of sizes.kind === "gpt2" ? gpt2Shapes(sizes) : llamaShapes(sizes)) {
    const count = shape.reduce((product, size) => product * size, 1);
    // Norm weights lie around 1; everything else around 0.
    const centre = shape.length === 1 && name.endsWith(".weight") ? 1 : 0;
    const values = Float32Array.from({ length: count }, () => centre + sizes.deviation * next());
    tensors.set(name, { shape, values });
  }
  options.edit?.(tensors);
  const { folder } = options;
  const config = { ...configOf(sizes), ...options.config };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tinyTokenizer()));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(tinyTokenizerConfig()));
  writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: TINY_EOS }));
  const weights = join(folder, "model.safetensors");
  writeSafetensors(weights, tensors);
  return { folder, weights, config, tensors };
}
