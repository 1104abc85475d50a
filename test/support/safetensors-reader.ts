// Reads a safetensors file of expected values into typed arrays, with the format's own rules only.
// Must not import the library: what it reads is compared with the library's results.

import { readSafetensors } from "./write-safetensors.js";

export interface ExpectedTensor {
  readonly shape: readonly number[];
  /** Row-major, in double precision whatever the file's type. */
  readonly values: Float64Array;
}

const readers: Readonly<Record<string, (bytes: ArrayBuffer) => ArrayLike<number>>> = {
  F64: (bytes) => new Float64Array(bytes),
  F32: (bytes) => new Float32Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  I64: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
  U8: (bytes) => new Uint8Array(bytes),
};

/** Tensors by name. */
export class TensorFile {
  readonly #tensors: ReadonlyMap<string, { dtype: string; shape: readonly number[]; bytes: ArrayBuffer }>;

  constructor(readonly path: string) {
    this.#tensors = readSafetensors(path);
  }

  get names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  at(name: string): ExpectedTensor {
    const found = this.#tensors.get(name);
    if (found === undefined) throw new Error(`${this.path} has no tensor ${name}`);
    const read = readers[found.dtype];
    if (read === undefined) throw new Error(`${this.path}: ${name} has the unknown type ${found.dtype}`);
    return { shape: found.shape, values: Float64Array.from(read(found.bytes)) };
  }

  values(name: string): Float64Array {
    return this.at(name).values;
  }

  integers(name: string): Int32Array {
    return Int32Array.from(this.values(name));
  }
}
