// attune.json beside a model's weights: what attune knows of it and the formats of others have no place for.
// Must not know weights. Keys of others are left alone when it is read, and not written.

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail } from "../errors/index.js";
import type { ScoreNormalisation } from "./contract.js";
import { readJsonObject } from "./json-file.js";
import type { Json } from "./model-description.js";
import { checkedNormalisation } from "./score-head.js";

export const ATTUNE_JSON = "attune.json";

export interface AttuneNotes {
  /** Of an adapter: tells the weights that it was trained on from others of equal shapes. */
  readonly baseFingerprint?: string | undefined;
  readonly scoreNormalisation?: ScoreNormalisation | undefined;
}

/** The file's contents; undefined where there is nothing to say. */
export function attuneNotes({ baseFingerprint, scoreNormalisation }: AttuneNotes): Json | undefined {
  const notes = {
    ...(baseFingerprint === undefined ? {} : { baseFingerprint }),
    ...(scoreNormalisation === undefined ? {} : { scoreNormalisation }),
  };
  return Object.keys(notes).length === 0 ? undefined : notes;
}

/** Empty where there is no such file: the folder is somebody else's. Throws ATTUNE_FILE, ATTUNE_FORMAT. */
async function readAttuneJson(folder: string): Promise<Json> {
  const file = join(folder, ATTUNE_JSON);
  const there = await stat(file).then(
    () => true,
    () => false,
  );
  return there ? readJsonObject(file, "says what attune knows of the model") : {};
}

/**
 * Other weights of the same shapes would take an adapter in silence and answer nonsense.
 * Throws ATTUNE_MODEL where the adapter in `folder` was trained on weights of another fingerprint.
 */
export async function expectSameBase(folder: string, fingerprint: string): Promise<void> {
  const { baseFingerprint } = await readAttuneJson(folder);
  if (baseFingerprint === undefined || baseFingerprint === fingerprint) return;
  const text = `Expected the model that the adapter in ${folder} was trained on but its weights are other ones (fingerprint ${fingerprint}, the adapter's base has ${String(baseFingerprint)}). Load it with its own base; where another form of the same base is meant (quantised, say), delete ${join(folder, ATTUNE_JSON)}.`;
  throw fail("ATTUNE_MODEL", text, { details: { path: folder } });
}

/**
 * What is added to the scores of the model at `path`: a folder, or a .safetensors file in one. A GGUF file has no such
 * thing: its folder may hold others. Throws ATTUNE_FILE, ATTUNE_FORMAT.
 */
export async function readScoreNormalisation(
  path: string,
  heads: number,
): Promise<ScoreNormalisation | undefined> {
  if (path.endsWith(".gguf")) return undefined;
  const folder = path.endsWith(".safetensors") ? dirname(path) : path;
  const { scoreNormalisation } = await readAttuneJson(folder);
  if (scoreNormalisation === undefined || heads === 0) return undefined;
  const file = join(folder, ATTUNE_JSON);
  return checkedNormalisation(scoreNormalisation, heads, (text) => {
    const advice = "Save the model again, or take the key out and normalise anew.";
    return fail("ATTUNE_FORMAT", `${file}: ${text} ${advice}`, { details: { path: file } });
  });
}
