// Keeps a linear bound in a JSON file: small numbers as they are, arrays in base64. Must not fit or use it.

import { readFile } from "node:fs/promises";
import { fail, reasonOf } from "../errors/index.js";
import { projectionOf } from "../preference/index.js";
import type { RewardBound } from "../rollout/index.js";
import { wordsOf } from "./reward-bound.js";

const FORMAT = "attune linear bound 1";

/** The bound as text; the same bound gives the same text. */
export function boundText(reward: RewardBound): string {
  const { features, projectionSeed, bound, reference, loss, probe, dtype } = reward;
  const { size } = features;
  const content = {
    format: FORMAT,
    dtype,
    kind: bound.kind,
    kappa: bound.kappa,
    judgements: bound.count,
    loss,
    hiddenSize: features.inputSize,
    size,
    scale: features.scale,
    ...(projectionSeed === undefined ? {} : { projectionSeed }),
    theta: base64(bound.theta),
    reference: base64(reference),
    mean: base64(features.mean),
    probe: base64(Float64Array.from(probe)),
    factor: base64(packed(bound.factor.lower, size)),
  };
  return `${JSON.stringify(content)}\n`;
}

/** @throws ATTUNE_FILE when it cannot be read, ATTUNE_FORMAT when it is no bound, or a damaged one */
export async function readBound(path: string): Promise<RewardBound> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const message = `Expected ${path} to be a bound that attune evaluate --fit-bound wrote but it cannot be read: ${reasonOf(error)}.`;
    throw fail("ATTUNE_FILE", message, { cause: error, details: { path } });
  }
  try {
    return boundOf(JSON.parse(text));
  } catch (error) {
    const message = `${path}: expected a bound that attune evaluate --fit-bound wrote but ${reasonOf(error)}. Fit it anew.`;
    throw fail("ATTUNE_FORMAT", message, { cause: error, details: { path } });
  }
}

/** Throws plain errors that say what is wrong. */
function boundOf(content: unknown): RewardBound {
  const fields = new Fields(content);
  if (fields.text("format") !== FORMAT) throw new Error(`its format is "${fields.text("format")}"`);
  const [size, inputSize] = [fields.whole("size"), fields.whole("hiddenSize")];
  const kind = fields.text("kind");
  const dtype = fields.text("dtype");
  if (kind !== "gram" && kind !== "fisher") throw new Error(`its kind is "${kind}"`);
  if (dtype !== "fp32" && dtype !== "bf16") throw new Error(`its dtype is "${dtype}"`);
  const projectionSeed = fields.has("projectionSeed") ? fields.whole("projectionSeed") : undefined;
  if (projectionSeed === undefined && size !== inputSize) throw new Error("its projection has no seed");
  const projection =
    projectionSeed === undefined
      ? undefined
      : projectionOf(size, inputSize, wordsOf("project", projectionSeed));
  return {
    features: {
      mean: fields.numbers("mean", inputSize),
      projection,
      inputSize,
      size,
      scale: fields.above("scale", 0),
    },
    projectionSeed,
    bound: {
      theta: fields.numbers("theta", size),
      factor: { size, lower: factorOf(fields.numbers("factor", (size * (size + 1)) / 2), size) },
      kappa: fields.atLeast("kappa", 0),
      kind,
      count: fields.whole("judgements"),
    },
    reference: fields.numbers("reference", size),
    loss: fields.number("loss"),
    probe: Float32Array.from(fields.numbers("probe", inputSize)),
    dtype,
  };
}

/** A Cholesky factor divides by its diagonal. */
function factorOf(values: Float64Array, size: number): Float64Array {
  const lower = unpacked(values, size);
  for (let i = 0; i < size; i++)
    if (!((lower[i * size + i] ?? 0) > 0))
      throw new Error(`"factor" has ${lower[i * size + i]} on its diagonal`);
  return lower;
}

/** Reads the fields of an object with checks. */
class Fields {
  readonly #content: Readonly<Record<string, unknown>>;

  constructor(content: unknown) {
    if (typeof content !== "object" || content === null) throw new Error("it holds no object");
    this.#content = content as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return this.#content[name] !== undefined;
  }

  text(name: string): string {
    const value = this.#content[name];
    if (typeof value !== "string") throw new Error(`"${name}" is no text`);
    return value;
  }

  number(name: string): number {
    const value = this.#content[name];
    if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`"${name}" is no number`);
    return value;
  }

  above(name: string, limit: number): number {
    const value = this.number(name);
    if (value <= limit) throw new Error(`"${name}" is ${value}, which is not above ${limit}`);
    return value;
  }

  atLeast(name: string, limit: number): number {
    const value = this.number(name);
    if (value < limit) throw new Error(`"${name}" is ${value}, which is below ${limit}`);
    return value;
  }

  whole(name: string): number {
    const value = this.number(name);
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`"${name}" is no whole number`);
    return value;
  }

  numbers(name: string, length: number): Float64Array {
    const bytes = new Uint8Array(Buffer.from(this.text(name), "base64"));
    if (bytes.length !== 8 * length)
      throw new Error(`"${name}" has ${bytes.length / 8} numbers instead of ${length}`);
    const values = new Float64Array(bytes.buffer, 0, length);
    if (!values.every((value) => Number.isFinite(value)))
      throw new Error(`"${name}" holds a number that is not finite`);
    return values;
  }
}

function base64(values: Float64Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

/** The lower half, row after row: [size (size + 1) / 2]. */
function packed(lower: Float64Array, size: number): Float64Array {
  const half = new Float64Array((size * (size + 1)) / 2);
  for (let row = 0, at = 0; row < size; at += row + 1, row++)
    half.set(lower.subarray(row * size, row * size + row + 1), at);
  return half;
}

function unpacked(half: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let row = 0, at = 0; row < size; at += row + 1, row++)
    lower.set(half.subarray(at, at + row + 1), row * size);
  return lower;
}
