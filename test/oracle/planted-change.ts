// Copies files of the oracle's form and alters one expected value by 1 %: one of at least 0.1, unless asked otherwise.
// Must not know a family.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const usualLeast = 0.1;

/** A file, or a folder's files, by content alone: the originals may be read-only. */
export function copyTo(from: string, to: string): void {
  if (!statSync(from).isDirectory()) {
    writeFileSync(to, readFileSync(from));
    return;
  }
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) copyTo(join(from, name), join(to, name));
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly value: number;
}

/** Changes the first number of at least `least` at or below `path` (names and indices joined by dots). */
export function changeJson(file: string, path: string, least = usualLeast): void {
  const root = JSON.parse(readFileSync(file, "utf8")) as unknown;
  let holder = { root } as Record<string, unknown>;
  let key = "root";
  for (const part of path.split(".")) {
    const next = holder[key];
    if (typeof next !== "object" || next === null) throw new Error(`${file} has no ${path}`);
    holder = next as Record<string, unknown>;
    key = part;
  }
  const place = firstNumber(holder, key, least);
  if (place === undefined) throw new Error(`${file}: no number of at least ${least} at ${path}`);
  place.holder[place.key] = place.value * 1.01;
  writeFileSync(file, JSON.stringify(root));
}

function firstNumber(holder: Record<string, unknown>, key: string, least: number): Place | undefined {
  const value = holder[key];
  if (typeof value === "number") return Math.abs(value) >= least ? { holder, key, value } : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const inner of Object.keys(value)) {
    const found = firstNumber(value as Record<string, unknown>, inner, least);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Changes the first float32 of at least 0.1 of a little-endian hexadecimal text. */
export function changeHex(file: string, field: string): void {
  const content = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  const bytes = Buffer.from(content[field] ?? "", "hex");
  const offset = firstOffset(bytes, { size: 4, start: 0, end: bytes.length });
  bytes.writeFloatLE(bytes.readFloatLE(offset) * 1.01, offset);
  writeFileSync(file, JSON.stringify({ ...content, [field]: bytes.toString("hex") }));
}

interface TensorEntry {
  readonly dtype: string;
  readonly data_offsets: readonly [number, number];
}

/** Changes the first number of at least 0.1 in the first tensor that has one and whose name begins with `prefix`. */
export function changeTensor(file: string, prefix: string): void {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, TensorEntry>;
  for (const [name, entry] of Object.entries(header)) {
    if (!name.startsWith(prefix) || !["F32", "F64"].includes(entry.dtype)) continue;
    const size = entry.dtype === "F32" ? 4 : 8;
    const [first, end] = entry.data_offsets;
    const offset = offsetOrNone(bytes, { size, start: start + first, end: start + end });
    if (offset === undefined) continue;
    if (size === 4) bytes.writeFloatLE(bytes.readFloatLE(offset) * 1.01, offset);
    else bytes.writeDoubleLE(bytes.readDoubleLE(offset) * 1.01, offset);
    writeFileSync(file, bytes);
    return;
  }
  throw new Error(`${file}: no number of at least ${usualLeast} in ${prefix}*`);
}

interface Range {
  readonly size: 4 | 8;
  readonly start: number;
  readonly end: number;
}

function offsetOrNone(bytes: Buffer, { size, start, end }: Range): number | undefined {
  for (let offset = start; offset + size <= end; offset += size) {
    const value = size === 4 ? bytes.readFloatLE(offset) : bytes.readDoubleLE(offset);
    if (Number.isFinite(value) && Math.abs(value) >= usualLeast) return offset;
  }
  return undefined;
}

function firstOffset(bytes: Buffer, range: Range): number {
  const offset = offsetOrNone(bytes, range);
  if (offset === undefined) throw new Error(`no number of at least ${usualLeast}`);
  return offset;
}
