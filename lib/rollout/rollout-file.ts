// Keeps rollouts in files, one each, and reads them back bit for bit. A file is complete or not there.
// Must not know how rollouts are made or used.
//
// Form: "attune rollout" and the version (16 bytes), bytes of the JSON (float64), the JSON (numbers of the rollout, and name,
// type and length of every array), the arrays one behind the other, SHA-256 of all before. Little-endian.

import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { endianness } from "node:os";
import { dirname, join, resolve } from "node:path";
import { makeFolder } from "../engine/make-folder.js";
import { type AttuneError, fail, reasonOf } from "../errors/index.js";
import type { Rollout, SourceScores } from "./rollout.js";

const MAGIC = "attune rollout";
const VERSION = 1;
const HEAD_BYTES = 24;
const HASH_BYTES = 32;

const arrayTypes = { Int32Array, Float32Array, Float64Array, Uint8Array } as const;
type ArrayType = keyof typeof arrayTypes;
type StoredArray = Int32Array | Float32Array | Float64Array | Uint8Array;

/** Arrays of a rollout, those of its sources not, in the order of the file. */
const rolloutArrays = {
  promptRows: "Int32Array",
  promptStarts: "Int32Array",
  promptTokens: "Int32Array",
  starts: "Int32Array",
  tokens: "Int32Array",
  finish: "Uint8Array",
  logprobs: "Float32Array",
  referenceLogprobs: "Float32Array",
  exactKl: "Float32Array",
  values: "Float32Array",
  scores: "Float64Array",
} as const satisfies Partial<Record<keyof Rollout, ArrayType>>;

type ArrayName = keyof typeof rolloutArrays;
const optionalArrays: ReadonlySet<ArrayName> = new Set(["referenceLogprobs", "exactKl", "values"]);

interface Header {
  readonly number: number;
  /** 64 bits are more than a JSON number keeps. */
  readonly seed: string;
  readonly policyStep: number;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly samples: number;
  readonly sources: readonly Pick<SourceScores, "name" | "weight">[];
  readonly arrays: readonly { readonly name: string; readonly type: ArrayType; readonly length: number }[];
}

/** Where a rollout lies in a folder of them. */
export function rolloutPath(folder: string, number: number): string {
  return join(folder, `rollout-${String(number).padStart(6, "0")}.bin`);
}

/** Writes `rolloutPath(folder, rollout.number)`, in place of an earlier one. Returns the path. Throws ATTUNE_OUTPUT. */
export async function writeRollout(folder: string, rollout: Rollout): Promise<string> {
  const path = rolloutPath(folder, rollout.number);
  const partial = `${path}.partial`;
  try {
    makeFolder(resolve(folder));
    const file = await open(partial, "w");
    try {
      for (const part of partsOf(rollout)) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    const text = `The rollout cannot be written to ${path}: ${reasonOf(error)}. Nothing that was there before is lost.`;
    throw fail("ATTUNE_OUTPUT", text, { cause: error, details: { path } });
  }
  return path;
}

/** So that the name is on disk too. Windows opens no folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function* partsOf(rollout: Rollout): Generator<Uint8Array> {
  const hash = createHash("sha256");
  const { number, seed, policyStep, temperature, maxNewTokens, samples, sources } = rollout;
  const arrays = [...storedArrays(rollout)];
  const header: Header = {
    number,
    seed: String(seed),
    policyStep,
    temperature,
    maxNewTokens,
    samples,
    sources: sources.map(({ name, weight }) => ({ name, weight })),
    arrays: arrays.map(({ name, type, values }) => ({ name, type, length: values.length })),
  };
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(`${MAGIC} ${VERSION}`);
  head.writeDoubleLE(json.length, HEAD_BYTES - 8);
  for (const part of [head, json, ...arrays.map(({ values }) => bytesOf(values))]) {
    hash.update(part);
    yield part;
  }
  yield hash.digest();
}

function* storedArrays(
  rollout: Rollout,
): Generator<{ readonly name: string; readonly type: ArrayType; readonly values: StoredArray }> {
  for (const [name, type] of Object.entries(rolloutArrays) as [ArrayName, ArrayType][]) {
    const values = rollout[name];
    if (values !== undefined) yield { name, type, values };
  }
  for (const [i, { scores }] of rollout.sources.entries())
    yield { name: `sources/${i}`, type: "Float64Array", values: scores };
}

function bytesOf(values: StoredArray): Uint8Array {
  if (endianness() !== "LE") throw new Error("files of rollouts need a little-endian machine");
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Throws ATTUNE_FILE when it cannot be read, ATTUNE_FORMAT when it is no rollout, cut, damaged, or of another version. */
export async function readRollout(path: string): Promise<Rollout> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const text = `Expected ${path} to be a rollout but it cannot be read: ${reasonOf(error)}.`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { path } });
  }
  const refuse = (reason: string, cause?: unknown): AttuneError =>
    fail("ATTUNE_FORMAT", `${path}: expected a rollout of attune but ${reason}.`, {
      cause,
      details: { path },
    });
  const magic = bytes.toString("latin1", 0, MAGIC.length + 1);
  if (magic !== `${MAGIC} `) throw refuse("it is another kind of file");
  const version = Number.parseInt(bytes.toString("latin1", MAGIC.length + 1, HEAD_BYTES - 8), 10);
  if (version !== VERSION) throw refuse(`its version is ${version}, not ${VERSION}`);
  const content = bytes.subarray(0, Math.max(0, bytes.length - HASH_BYTES));
  const hash = createHash("sha256").update(content).digest();
  if (!hash.equals(bytes.subarray(content.length)))
    throw refuse("its checksum differs: it is cut or damaged");
  try {
    return rolloutOf(content);
  } catch (error) {
    throw refuse(reasonOf(error), error);
  }
}

/** Of content whose checksum is right. Throws plain errors that say what is wrong. */
function rolloutOf(content: Buffer): Rollout {
  const jsonBytes = content.readDoubleLE(HEAD_BYTES - 8);
  const jsonEnd = HEAD_BYTES + jsonBytes;
  const header = JSON.parse(content.toString("utf8", HEAD_BYTES, jsonEnd)) as Header;
  const found = new Map<string, StoredArray>();
  let at = jsonEnd;
  for (const { name, type, length } of header.arrays) {
    const bytes = length * arrayTypes[type].BYTES_PER_ELEMENT;
    if (at + bytes > content.length) throw new Error(`its array ${name} is cut`);
    // A copy begins where the elements of its type may.
    const copy = Uint8Array.from(content.subarray(at, at + bytes));
    found.set(name, new arrayTypes[type](copy.buffer));
    at += bytes;
  }
  const { arrays: _arrays, sources, seed, ...numbers } = header;
  const named = Object.keys(rolloutArrays).flatMap((name) => {
    const values = found.get(name);
    if (values === undefined && !optionalArrays.has(name as ArrayName)) throw new Error(`it has no ${name}`);
    return values === undefined ? [] : [[name, values]];
  });
  return {
    ...numbers,
    seed: BigInt(seed),
    ...(Object.fromEntries(named) as Pick<Rollout, ArrayName>),
    sources: sources.map(({ name, weight }, i) => {
      const scores = found.get(`sources/${i}`);
      if (!(scores instanceof Float64Array)) throw new Error(`it has no scores of ${name}`);
      return { name, weight, scores };
    }),
  };
}

/** Rollouts of a folder in the order of their numbers, which is that of recording. */
export async function rolloutFiles(
  folder: string,
): Promise<readonly { readonly number: number; readonly path: string }[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const text = `Expected ${folder} to be a folder of rollouts but it cannot be read: ${reasonOf(error)}.`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { path: folder } });
  }
  return names
    .flatMap((name) => {
      const digits = /^rollout-(\d{6,})\.bin$/.exec(name)?.[1];
      return digits === undefined ? [] : [{ number: Number(digits), path: join(folder, name) }];
    })
    .sort((a, b) => a.number - b.number);
}

/** Reads the rollouts of a folder one after another, as they were recorded. Throws what `readRollout` throws. */
export async function* replayRollouts(folder: string): AsyncGenerator<Rollout, void, undefined> {
  for (const { path } of await rolloutFiles(folder)) yield await readRollout(path);
}
