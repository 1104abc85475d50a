// Reads the header of a GGUF file: its key-value metadata and the list of tensors (names, types, shapes, offsets).
// Must not read tensor data, nor the whole file: a cursor over chunks, every count and offset checked first.

import { closeSync, fstatSync, openSync } from "node:fs";
import { fail, reasonOf } from "../errors/index.js";
import { type GgufArray, GgufCursor, type GgufValue } from "./gguf-cursor.js";
import { type GgufTensorType, ggufTensorTypes } from "./gguf-types.js";

export type { GgufArray, GgufValue };

export interface GgufTensor {
  readonly name: string;
  /** Number of the type in the file. */
  readonly type: number;
  /** Its name (F32, Q4_1 …), or `type N` when unknown. */
  readonly typeName: string;
  /** Dimensions as stored, fastest first: a weight [out, in] is written (in, out). */
  readonly dims: readonly number[];
  /** Byte offset from the start of the file. */
  readonly offset: number;
  /** Size in bytes; undefined when the type is unknown. */
  readonly bytes: number | undefined;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Alignment of tensor data in bytes. */
  readonly alignment: number;
  /** Where tensor data begins, bytes from the start of the file. */
  readonly dataOffset: number;
  readonly fileSize: number;
}

const MAX_DIMS = 4;
/** A name length, a type and an empty value take at least 8 + 4 + 1 bytes; a tensor entry 8 + 4 + 8 + 4 + 8. */
const SMALLEST_PAIR = 13;
const SMALLEST_TENSOR = 32;

/**
 * Reads the header of a GGUF file, version 2 or 3, little-endian.
 * Throws ATTUNE_FILE when it cannot be opened, ATTUNE_FORMAT (with `details.path` and `details.offset`) when it is
 * truncated or its counts and offsets do not fit the file.
 */
export function readGguf(options: { readonly path: string }): GgufHeader {
  const { path } = options;
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    const text = `Expected a GGUF file at ${path}, but it cannot be opened: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { path } });
  }
  try {
    return readHeader(new GgufCursor({ file, fileSize: fstatSync(file).size, path }));
  } finally {
    closeSync(file);
  }
}

function readHeader(cursor: GgufCursor): GgufHeader {
  const version = readVersion(cursor);
  const tensorCount = cursor.count("tensor count", SMALLEST_TENSOR);
  const pairCount = cursor.count("metadata count", SMALLEST_PAIR);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.string(`metadata key ${i}`);
    if (metadata.has(key)) throw cursor.broken(`metadata key "${key}" once`, "it twice");
    metadata.set(key, cursor.value(cursor.u32(`type of "${key}"`), key));
  }
  const alignment = alignmentOf(metadata, cursor);
  const entries = readTensors(cursor, tensorCount);
  const dataOffset = Math.ceil(cursor.position / alignment) * alignment;
  if (entries.length > 0 && dataOffset > cursor.fileSize) {
    throw cursor.broken(`tensor data at byte ${dataOffset}`, `a file of ${cursor.fileSize} bytes`);
  }
  const tensors = entries.map((entry) => placeTensor(entry, { dataOffset, alignment, cursor }));
  return { version, metadata, tensors, alignment, dataOffset, fileSize: cursor.fileSize };
}

function readVersion(cursor: GgufCursor): number {
  const magic = cursor.magic();
  if (magic !== "GGUF") throw cursor.broken('a GGUF file (first bytes "GGUF")', JSON.stringify(magic));
  const version = cursor.u32("version");
  if (version === 2 || version === 3) return version;
  const bigEndian = version > 0xffff;
  throw cursor.broken(
    "GGUF version 2 or 3, little-endian",
    bigEndian ? "a big-endian file" : `version ${version}`,
    "Convert the model again with a current version of llama.cpp.",
  );
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, cursor: GgufCursor): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment === "number" && alignment >= 8 && alignment <= 1 << 20 && alignment % 8 === 0)
    return alignment;
  throw cursor.broken("general.alignment to be a multiple of 8", String(alignment));
}

interface TensorEntry {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly relative: number;
}

function readTensors(cursor: GgufCursor, count: number): TensorEntry[] {
  const seen = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    const name = cursor.string(`name of tensor ${i}`);
    if (seen.has(name)) throw cursor.broken(`tensor "${name}" once`, "it twice");
    seen.add(name);
    const dimCount = cursor.u32(`dimensions of "${name}"`);
    if (dimCount < 1 || dimCount > MAX_DIMS) {
      throw cursor.broken(`tensor "${name}" with 1 to ${MAX_DIMS} dimensions`, String(dimCount));
    }
    const dims = Array.from({ length: dimCount }, () => cursor.u64(`a dimension of "${name}"`));
    const elements = dims.reduce((product, dim) => product * dim, 1);
    if (elements < 1 || !Number.isSafeInteger(elements)) {
      throw cursor.broken(`tensor "${name}" with positive dimensions`, dims.join(" x "));
    }
    return { name, type: cursor.u32(`type of "${name}"`), dims, relative: cursor.u64(`offset of "${name}"`) };
  });
}

interface Place {
  readonly dataOffset: number;
  readonly alignment: number;
  readonly cursor: GgufCursor;
}

function placeTensor(
  { name, type, dims, relative }: TensorEntry,
  { dataOffset, alignment, cursor }: Place,
): GgufTensor {
  const known = ggufTensorTypes.get(type);
  const bytes = known === undefined ? undefined : bytesOf(known, { name, dims, cursor });
  const offset = dataOffset + relative;
  if (relative % alignment !== 0) {
    throw cursor.broken(`tensor "${name}" at a multiple of ${alignment} bytes`, `offset ${relative}`);
  }
  if (offset + (bytes ?? 0) > cursor.fileSize) {
    const wanted = `tensor "${name}" inside the file (bytes ${offset} to ${offset + (bytes ?? 0)})`;
    throw cursor.broken(wanted, `a file of ${cursor.fileSize} bytes`, "The file is truncated or damaged.");
  }
  return { name, type, typeName: known?.name ?? `type ${type}`, dims, offset, bytes };
}

interface Sized {
  readonly name: string;
  readonly dims: readonly number[];
  readonly cursor: GgufCursor;
}

function bytesOf(type: GgufTensorType, { name, dims, cursor }: Sized): number {
  const row = dims[0] ?? 1;
  if (row % type.blockSize !== 0) {
    throw cursor.broken(
      `rows of "${name}" (${type.name}) in blocks of ${type.blockSize}`,
      `${row} values a row`,
    );
  }
  return (dims.reduce((product, dim) => product * dim, 1) / type.blockSize) * type.blockBytes;
}
