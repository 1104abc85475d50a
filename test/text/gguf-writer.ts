// Writes small GGUF files for tests, byte by byte, so that each count and offset can be made to lie.
// Must not use the reader it tests.

/** Numbers of the value types in the format. */
export const ggufType = {
  u8: 0,
  i8: 1,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
};

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

export function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** One metadata entry: key, type, then the value's bytes. */
export function pair(key: string, type: number, value: Buffer): Buffer {
  return Buffer.concat([text(key), u32(type), value]);
}

export function textPair(key: string, value: string): Buffer {
  return pair(key, ggufType.string, text(value));
}

export function arrayPair(key: string, elementType: number, elements: readonly Buffer[]): Buffer {
  return pair(key, ggufType.array, Buffer.concat([u32(elementType), u64(elements.length), ...elements]));
}

export interface TensorEntry {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly offset: number;
}

export interface GgufParts {
  readonly version?: number;
  readonly pairs?: readonly Buffer[];
  readonly tensors?: readonly TensorEntry[];
  /** Bytes of tensor data behind the aligned header. */
  readonly dataBytes?: number;
  /** Said in place of the real counts. */
  readonly pairCount?: number | bigint;
  readonly tensorCount?: number | bigint;
}

export function ggufFile(parts: GgufParts = {}): Buffer {
  const { version = 3, pairs = [], tensors = [], dataBytes = 0 } = parts;
  const entries = tensors.map(({ name, dims, type, offset }) =>
    Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]),
  );
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    u32(version),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.pairCount ?? pairs.length),
    ...pairs,
    ...entries,
  ]);
  const padding = tensors.length === 0 ? 0 : (32 - (header.length % 32)) % 32;
  return Buffer.concat([header, Buffer.alloc(padding + dataBytes)]);
}
