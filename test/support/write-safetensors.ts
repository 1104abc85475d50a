// Writes and reads small safetensors files for tests, with the format's own rules only.
// Must not import the library: a test compares the two.

import { readFileSync, writeFileSync } from "node:fs";

export interface TestTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The bytes of a safetensors file with fp32 tensors, in the order given. */
export function safetensorsBytes(tensors: ReadonlyMap<string, TestTensor>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const data = [...tensors.values()].map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  return Buffer.concat([length, padded, ...data]);
}

export function writeSafetensors(path: string, tensors: ReadonlyMap<string, TestTensor>): void {
  writeFileSync(path, safetensorsBytes(tensors));
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Raw tensors of a safetensors file; `bytes` is a copy, so typed arrays over it are aligned. */
export function readSafetensors(
  path: string,
): Map<string, { dtype: string; shape: readonly number[]; bytes: ArrayBuffer }> {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength)) as Record<string, HeaderEntry>;
  const start = 8 + headerLength;
  const tensors = new Map<string, { dtype: string; shape: readonly number[]; bytes: ArrayBuffer }>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [first, end] = entry.data_offsets;
    const bytes = new Uint8Array(file.subarray(start + first, start + end)).buffer;
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, bytes });
  }
  return tensors;
}
