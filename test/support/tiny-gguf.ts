// Writes a tiny model as a GGUF file of type F32, with the names, order and q/k permutation of llama.cpp's converter.
// Must not import the library: it feeds it.

import { writeFileSync } from "node:fs";
import { arrayPair, f32, ggufFile, ggufType, i32, pair, text, textPair, u32 } from "../text/gguf-writer.js";
import type { TinyModel } from "./tiny-model.js";
import { tinyTokenizer } from "./tiny-tokenizer.js";
import type { TestTensor } from "./write-safetensors.js";

type Config = TinyModel["config"];

const LLAMA_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\./, "blk."],
  [/\.input_layernorm\./, ".attn_norm."],
  [/\.post_attention_layernorm\./, ".ffn_norm."],
  [/\.self_attn\.o_proj\./, ".attn_output."],
  [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
  [/\.self_attn\.([qk])_norm\./, ".attn_$1_norm."],
  [/\.mlp\.(gate|up|down)_proj\./, ".ffn_$1."],
];

const GPT2_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^transformer\.wte\./, "token_embd."],
  [/^transformer\.wpe\./, "position_embd."],
  [/^transformer\.ln_f\./, "output_norm."],
  [/^transformer\.h\./, "blk."],
  [/\.ln_1\./, ".attn_norm."],
  [/\.ln_2\./, ".ffn_norm."],
  [/\.attn\.c_attn\./, ".attn_qkv."],
  [/\.attn\.c_proj\./, ".attn_output."],
  [/\.mlp\.c_fc\./, ".ffn_up."],
  [/\.mlp\.c_proj\./, ".ffn_down."],
];

/** Rows of each head: halves (i, i + D/2) become neighbours (2i, 2i + 1). */
function permuted({ shape, values }: TestTensor, heads: number): TestTensor {
  const rows = shape[0] ?? 0;
  const columns = values.length / rows;
  const width = rows / heads;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const within = row % width;
    const half = Math.floor(within / (width / 2));
    const target = row - within + 2 * (within % (width / 2)) + half;
    result.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return { shape, values: result };
}

function transposed({ shape, values }: TestTensor): TestTensor {
  const [rows = 0, columns = 0] = shape;
  const result = Float32Array.from(
    values,
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0,
  );
  return { shape: [columns, rows], values: result };
}

function converted(name: string, tensor: TestTensor, config: Config): readonly [string, TestTensor] {
  const names = config.model_type === "gpt2" ? GPT2_NAMES : LLAMA_NAMES;
  const ggufName = names.reduce(
    (result, [pattern, replacement]) => result.replace(pattern, replacement),
    name,
  );
  if (config.model_type === "gpt2")
    return [ggufName, /\.(c_attn|c_proj|c_fc)\.weight$/.test(name) ? transposed(tensor) : tensor];
  if (config.model_type !== "llama") return [ggufName, tensor];
  if (name.includes(".q_proj.")) return [ggufName, permuted(tensor, Number(config.num_attention_heads))];
  if (name.includes(".k_proj.")) return [ggufName, permuted(tensor, Number(config.num_key_value_heads))];
  return [ggufName, tensor];
}

function configPairs(config: Config): Buffer[] {
  const kind = String(config.model_type);
  const count = (key: string, value: unknown): Buffer =>
    pair(`${kind}.${key}`, ggufType.u32, u32(Number(value)));
  const real = (key: string, value: number): Buffer => pair(`${kind}.${key}`, ggufType.f32, f32(value));
  if (kind === "gpt2") {
    return [
      count("context_length", config.n_positions),
      count("embedding_length", config.n_embd),
      count("block_count", config.n_layer),
      count("feed_forward_length", config.n_inner),
      count("attention.head_count", config.n_head),
      real("attention.layer_norm_epsilon", 1e-5),
    ];
  }
  return [
    count("context_length", config.max_position_embeddings),
    count("embedding_length", config.hidden_size),
    count("block_count", config.num_hidden_layers),
    count("feed_forward_length", config.intermediate_size),
    count("attention.head_count", config.num_attention_heads),
    count("attention.head_count_kv", config.num_key_value_heads),
    ...(kind === "qwen3" ? [count("attention.key_length", config.head_dim)] : []),
    real("attention.layer_norm_rms_epsilon", 1e-5),
    real("rope.freq_base", 10000),
  ];
}

function tokenizerPairs(): Buffer[] {
  const { added_tokens: added, model } = tinyTokenizer() as {
    added_tokens: { id: number }[];
    model: { vocab: Record<string, number> };
  };
  const special = new Set(added.map(({ id }) => id));
  const tokens = Object.keys(model.vocab);
  return [
    textPair("tokenizer.ggml.model", "gpt2"),
    textPair("tokenizer.ggml.pre", "gpt-2"),
    arrayPair("tokenizer.ggml.tokens", ggufType.string, tokens.map(text)),
    arrayPair(
      "tokenizer.ggml.token_type",
      ggufType.i32,
      tokens.map((_, id) => i32(special.has(id) ? 3 : 1)),
    ),
    arrayPair("tokenizer.ggml.merges", ggufType.string, []),
    pair("tokenizer.ggml.eos_token_id", ggufType.u32, u32(256)),
  ];
}

/** The bytes of the model as one GGUF file with its tokenizer. */
export function tinyGgufBytes({ config, tensors }: Pick<TinyModel, "config" | "tensors">): Buffer {
  const all = [...tensors].map(([name, tensor]) => converted(name, tensor, config));
  const data: Buffer[] = [];
  let offset = 0;
  const entries = all.map(([name, { shape, values }]) => {
    const padding = (32 - (values.byteLength % 32)) % 32;
    data.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength), Buffer.alloc(padding));
    offset += values.byteLength + padding;
    return { name, dims: shape.toReversed(), type: 0, offset: offset - values.byteLength - padding };
  });
  const pairs = [
    textPair("general.architecture", String(config.model_type)),
    ...configPairs(config),
    ...tokenizerPairs(),
  ];
  return Buffer.concat([ggufFile({ pairs, tensors: entries }), ...data]);
}

export function writeTinyGguf(path: string, model: Pick<TinyModel, "config" | "tensors">): void {
  writeFileSync(path, tinyGgufBytes(model));
}
