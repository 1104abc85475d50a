// Hashes that say which rows, weights and token ids a number belongs to.
// Must not import a trainer's loop.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { FrozenModel, TrainableModel } from "../engine/contract.js";

/** Hashed before other work of the process gets its turn: a few milliseconds. */
const bytesPerTurn = 1 << 22;

/** SHA-256 of a file's bytes, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** SHA-256 of what decides a model's log-probs: a GGUF file, or a folder's config and weights. */
export async function modelFilesHash(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return fileHash(path);
  const names = (await readdir(path)).filter(
    (name) => name === "config.json" || name.endsWith(".safetensors"),
  );
  const hash = createHash("sha256");
  for (const name of names.toSorted()) hash.update(`${name} ${await fileHash(join(path, name))}\n`);
  return hash.digest("hex");
}

/**
 * SHA-256 of the weights as they are in memory, those under an adapter too: the model, or its base before the adapter came,
 * may have been trained since it was loaded.
 */
export async function weightsHash(model: TrainableModel): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, shape } of [...model.baseTensors(), ...model.tensors()]) {
    const values = await model.parameter(name);
    hash.update(`${name} ${shape.join("x")}\n`);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let first = 0; first < bytes.length; first += bytesPerTurn) {
      hash.update(bytes.subarray(first, first + bytesPerTurn));
      await setImmediate();
    }
  }
  return hash.digest("hex");
}

/** Key of a row's tokens: prompt and completions with their borders. */
export function tokensHash(parts: readonly Int32Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(`${part.length}\n`);
    hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return hash.digest("hex").slice(0, 32);
}

/** What a file of reference log-probs is keyed by: weights, type of the arithmetic, form of the file. */
export function referenceKey(weights: string, model: Pick<FrozenModel, "dtype" | "parameters">): string {
  const text = `reference 1 ${weights} ${model.dtype} ${model.parameters}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
