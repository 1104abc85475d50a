// attune.json beside a model's weights: what attune knows of it and the formats of others have no place for.
// Must not know weights.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../errors/index.js";
import { readJsonObject } from "./json-file.js";
import type { Json } from "./model-description.js";

export const ATTUNE_JSON = "attune.json";

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
