// Writes the model of the toy world: a llama of two layers with random weights and a tokenizer whose tokens are bytes.
// Must not import engine or train: it only writes files.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawNormals } from "./random.js";

export interface TinyModelOptions {
  readonly folder: string;
  readonly seed: number;
}

const endToken = "<|end|>";
const size = { vocabulary: 257, width: 64, layers: 2, heads: 4, keyHeads: 2, inner: 192, positions: 512 };

/** Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json; about 500 KB. */
export async function writeTinyModel({ folder, seed }: TinyModelOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  const json = (name: string, content: unknown) =>
    writeFile(join(folder, name), `${JSON.stringify(content, undefined, 1)}\n`);
  await json("config.json", modelConfig());
  await json("tokenizer.json", byteTokenizer());
  await json("tokenizer_config.json", { eos_token: endToken, tokenizer_class: "PreTrainedTokenizerFast" });
  await writeFile(join(folder, "model.safetensors"), safetensors(randomWeights(seed)));
}

function modelConfig() {
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
function randomWeights(seed: number): readonly Tensor[] {
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

/** A byte-pair tokenizer without pairs: every byte is a token, spelled as GPT-2 spells bytes. */
function byteTokenizer() {
  const vocabulary = Object.fromEntries(byteSpellings().map((spelling, id) => [spelling, id]));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const end = { id: size.vocabulary - 1, content: endToken, special: true };
  return {
    version: "1.0",
    added_tokens: [{ ...end, single_word: false, lstrip: false, rstrip: false, normalized: false }],
    normalizer: null,
    pre_tokenizer: bytes,
    post_processor: null,
    decoder: bytes,
    model: { type: "BPE", vocab: { ...vocabulary, [endToken]: size.vocabulary - 1 }, merges: [] },
  };
}

/** Printable bytes stand for themselves; the others follow from U+0100 on. */
function byteSpellings(): readonly string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}
