// What a model is, in numbers: config.json or GGUF metadata -> the configuration that native code takes.
// Must not read weights, nor guess: what is not understood is an error that names it.

import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { configReader } from "./config-reader.js";
import { ggufModelConfig } from "./gguf-config.js";
import { huggingFaceConfig } from "./hugging-face-config.js";
import { readJsonObject } from "./json-file.js";
import type { ModelDescription } from "./model-description.js";

/**
 * Reads the configuration of a Hugging Face folder, a .safetensors file (config.json beside it) or a .gguf file.
 * Throws ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL.
 */
export async function readModelConfig(options: { readonly path: string }): Promise<ModelDescription> {
  const { path } = options;
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    (error: unknown) => {
      const text = `Expected a model folder, a .safetensors file or a .gguf file at ${path}, but it cannot be read`;
      throw fail("ATTUNE_FILE", `${text}: ${reasonOf(error)}`, { cause: error, details: { path } });
    },
  );
  if (isFolder) {
    await expectWeights(path);
    return describeFolder(path, path);
  }
  if (path.endsWith(".gguf")) return { ...ggufModelConfig({ path }), weights: path };
  if (path.endsWith(".safetensors")) return describeFolder(dirname(path), path);
  const text = `Expected a model folder, a .safetensors file or a .gguf file but received ${path}.`;
  throw fail("ATTUNE_FILE", text, { details: { path } });
}

async function describeFolder(folder: string, weights: string): Promise<ModelDescription> {
  const where = join(folder, "config.json");
  const json = await readJsonObject(where, "says what the model is");
  const config = huggingFaceConfig(configReader({ where, get: (key) => json[key] }));
  return { config, weights, json };
}

/** A folder that holds only GGUF files is a common slip: the file is meant. */
async function expectWeights(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.some((name) => name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json"))) return;
  const ggufs = names.filter((name) => name.endsWith(".gguf"));
  const advice =
    ggufs.length > 0
      ? `It holds ${ggufs.join(", ")}: give the path of that file.`
      : "Give a folder as transformers saves it, or a .gguf file.";
  const text = `Expected model.safetensors (or an index with shards) in ${folder} but there is none. ${advice}`;
  throw fail("ATTUNE_FILE", text, { details: { path: folder } });
}
