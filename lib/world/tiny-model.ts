// Writes the models of the toy world: llamas of two layers with random weights, and their tokenizers.
// Must not import engine or train: it only writes files.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawNormals } from "./random.js";
import { byteTokenizer, endToken, wordTokenizer } from "./tokenizers.js";

export interface TinyModelOptions {
  readonly folder: string;
  readonly seed: number;
  /** What a token is: a byte of any text, or a word of the toy world. Default "bytes". */
  readonly tokens?: "bytes" | "words";
}

interface Size {
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly inner: number;
  readonly positions: number;
}

/** Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json: 0.5 MB of bytes, 1.3 MB of words. */
export async function writeTinyModel({ folder, seed, tokens = "bytes" }: TinyModelOptions): Promise<void> {
  const { json: tokenizer, vocabulary } = tokens === "bytes" ? byteTokenizer() : wordTokenizer();
  const size: Size =
    tokens === "bytes"
      ? { vocabulary, width: 64, layers: 2, heads: 4, keyHeads: 2, inner: 192, positions: 512 }
      : { vocabulary, width: 128, layers: 2, heads: 4, keyHeads: 2, inner: 256, positions: 128 };
  await mkdir(folder, { recursive: true });
  const json = (name: string, content: unknown) =>
    writeFile(join(folder, name), `${JSON.stringify(content, undefined, 1)}\n`);
  await json("config.json", modelConfig(size));
  await json("tokenizer.json", tokenizer);
  await json("tokenizer_config.json", { eos_token: endToken, tokenizer_class: "PreTrainedTokenizerFast" });
  await writeFile(join(folder, "model.safetensors"), safetensors(randomWeights(size, seed)));
}

function modelConfig(size: Size) {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: size.vocabulary,
    hidden_size: size.width,
    num_hidden_layers: size.layers,
    num_attention_heads: size.heads,
    num_key_value_heads: size.keyHeads,
    head_dim: size.width / size.heads,
    intermediate_size: size.inner,
    max_position_embeddings: size.positions,
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: true,
    eos_token_id: size.vocabulary - 1,
    torch_dtype: "float32",
  };
}

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Matrices are normal with deviation 1/sqrt(inputs), so signals keep their size; norms are 1. */
function randomWeights(size: Size, seed: number): readonly Tensor[] {
  const { width, inner, heads, keyHeads } = size;
  const keyWidth = (width / heads) * keyHeads;
  const tensors: Tensor[] = [];
  const matrix = (name: string, rows: number, columns: number, deviation = 1 / Math.sqrt(columns)) => {
    const place = { seed, stream: "init", step: 0, row: tensors.length } as const;
    const values = drawNormals(place, rows * columns, deviation);
    tensors.push({ name, shape: [rows, columns], values });
  };
  const norm = (name: string) =>
    tensors.push({ name, shape: [width], values: new Float32Array(width).fill(1) });
  matrix("model.embed_tokens.weight", size.vocabulary, width, 0.1);
  for (let layer = 0; layer < size.layers; layer++) {
    const of = (name: string) => `model.layers.${layer}.${name}.weight`;
    norm(of("input_layernorm"));
    matrix(of("self_attn.q_proj"), width, width);
    matrix(of("self_attn.k_proj"), keyWidth, width);
    matrix(of("self_attn.v_proj"), keyWidth, width);
    matrix(of("self_attn.o_proj"), width, width);
    norm(of("post_attention_layernorm"));
    matrix(of("mlp.gate_proj"), inner, width);
    matrix(of("mlp.up_proj"), inner, width);
    matrix(of("mlp.down_proj"), width, inner);
  }
  norm("model.norm.weight");
  return tensors;
}

/** Header length (8 bytes, little endian), JSON header padded to 8 bytes, then the values. */
function safetensors(tensors: readonly Tensor[]): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const bytes = tensors.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  return Buffer.concat([length, padded, ...bytes]);
}
