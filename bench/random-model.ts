// Writes a GPT-2 of random weights as a Hugging Face folder: for timing, where values do not matter but must not be zeros.
// Must not time anything.

import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export interface RandomModel {
  readonly folder: string;
  readonly vocabulary: number;
  readonly positions: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
}

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** A constant, or normal values of GPT-2's deviation. */
  readonly fill: number | "normal";
}

/** GPT-2's own initialisation. */
const DEVIATION = 0.02;

function tensorsOf({ vocabulary, positions, width, layers }: RandomModel): readonly Tensor[] {
  const matrix = (name: string, ...shape: number[]): Tensor => ({ name, shape, fill: "normal" });
  const vector = (name: string, length: number, fill: number): Tensor => ({ name, shape: [length], fill });
  const norm = (name: string) => [vector(`${name}.weight`, width, 1), vector(`${name}.bias`, width, 0)];
  const linear = (name: string, inputs: number, outputs: number) => [
    matrix(`${name}.weight`, inputs, outputs),
    vector(`${name}.bias`, outputs, 0),
  ];
  return [
    matrix("wte.weight", vocabulary, width),
    matrix("wpe.weight", positions, width),
    ...Array.from({ length: layers }, (_, layer) => [
      ...norm(`h.${layer}.ln_1`),
      ...linear(`h.${layer}.attn.c_attn`, width, 3 * width),
      ...linear(`h.${layer}.attn.c_proj`, width, width),
      ...norm(`h.${layer}.ln_2`),
      ...linear(`h.${layer}.mlp.c_fc`, width, 4 * width),
      ...linear(`h.${layer}.mlp.c_proj`, 4 * width, width),
    ]).flat(),
    ...norm("ln_f"),
  ];
}

/** Normal values by pairs (Box and Muller 1958) from a linear congruential generator: fast, and random enough for timing. */
function normals(values: Float32Array, seed: number): void {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 4_294_967_297;
  };
  for (let i = 0; i < values.length; i += 2) {
    const radius = DEVIATION * Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
}

export function writeRandomModel(options: RandomModel): void {
  const { folder, vocabulary, positions, width, layers, heads } = options;
  const config = {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: vocabulary,
    n_positions: positions,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    layer_norm_epsilon: 1e-5,
    activation_function: "gelu_new",
    torch_dtype: "float32",
  };
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, undefined, 1)}\n`);
  const tensors = tensorsOf(options);
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const { name, shape } of tensors) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(join(folder, "model.safetensors"), "w");
  try {
    writeSync(file, length);
    writeSync(file, text);
    for (const [seed, { shape, fill }] of tensors.entries()) {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
      if (fill === "normal") normals(values, seed + 1);
      else values.fill(fill);
      writeSync(file, Buffer.from(values.buffer));
    }
  } finally {
    closeSync(file);
  }
}
