// Writes a model as a Hugging Face folder that transformers loads unchanged, an adapter as one that peft does.
// A failed save leaves nothing half-written: everything is made in a folder beside the target and moved in at the end.

import { randomBytes } from "node:crypto";
import { open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { AttuneError, fail, reasonOf } from "../errors/index.js";
import { loadTokenizer, tokenizerFiles } from "../text/index.js";
import { layerName, layerNames } from "./adapter-targets.js";
import type { NativeDescription } from "./addon-types.js";
import { ATTUNE_JSON, type AttuneNotes, attuneNotes } from "./attune-json.js";
import type { DType, ScoreNormalisation } from "./contract.js";
import { makeFolder, removeMade } from "./make-folder.js";
import type { Json, ModelConfig } from "./model-description.js";
import { padToken, withPadToken } from "./pad-token.js";
import { peftConfig } from "./peft-folder.js";
import { classifierJson, isClassifierJson } from "./score-head.js";

const INDEX = "model.safetensors.index.json";

export interface SaveModelOptions {
  readonly folder: string;
  readonly dtype: DType;
  /** config.json of the source. */
  readonly json: Json;
  /** Where the model was loaded from: its tokenizer goes along. */
  readonly source: string;
  readonly scoreNormalisation: ScoreNormalisation | undefined;
  /** Puts model.safetensors into a folder that exists. */
  readonly writeWeights: (folder: string) => Promise<void>;
}

interface NamedFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** Throws ATTUNE_OUTPUT with the folder and the system's reason. */
export async function saveModel(options: SaveModelOptions): Promise<void> {
  const { json, source } = options;
  await saveFolder(options, async (tokenizer) =>
    isClassifierJson(json)
      ? configFiles(options, ...(await padded({ json, source, tokenizer })))
      : configFiles(options, json, tokenizer),
  );
}

/** The base of an adapter with the adapter in its weights. Throws ATTUNE_OUTPUT. */
export async function saveMerged(options: SaveModelOptions & { readonly scoreHeads: number }): Promise<void> {
  const { json, scoreHeads } = options;
  await saveModel({ ...options, json: scoreHeads > 0 ? classifierJson(json, scoreHeads) : json });
}

export interface SaveAdapterOptions extends Pick<SaveModelOptions, "folder" | "source" | "writeWeights"> {
  readonly adapter: NonNullable<NativeDescription["adapter"]>;
  readonly linearLayers: readonly string[];
  readonly config: ModelConfig;
  readonly notes: AttuneNotes;
}

/** A PEFT folder. Throws ATTUNE_OUTPUT. */
export async function saveAdapter(options: SaveAdapterOptions): Promise<void> {
  const { adapter, linearLayers, config, notes, source } = options;
  // Short names where they mean just these layers.
  const names = layerNames(adapter.modules);
  const meant = linearLayers.filter((module) => names.includes(layerName(module)));
  const contents = encode(
    peftConfig({
      adapter,
      targets: meant.length === adapter.modules.length ? names : adapter.modules,
      base: resolve(source),
      fanInFanOut: config.family === "gpt2",
      classifies: config.scoreHeads > 0,
    }),
  );
  await saveFolder(options, async (tokenizer) => [
    ...tokenizer,
    { name: "adapter_config.json", contents },
    ...attuneFile(notes),
  ]);
}

function attuneFile(notes: AttuneNotes): NamedFile[] {
  const json = attuneNotes(notes);
  return json === undefined ? [] : [{ name: ATTUNE_JSON, contents: encode(json) }];
}

/** Everything into a folder beside the target, then in place; `files`: all but the weights, from the tokenizer's. */
async function saveFolder(
  options: Pick<SaveModelOptions, "folder" | "source" | "writeWeights">,
  files: (tokenizer: readonly NamedFile[]) => Promise<readonly NamedFile[]>,
): Promise<void> {
  if (options.folder === "") throw fail("ATTUNE_OPTION", "Expected the name of a folder but received none.");
  const folder = resolve(options.folder);
  const name = `.${basename(folder)}.${randomBytes(6).toString("hex")}.partial`;
  // Inside a folder that exists: its parent may belong to somebody else.
  const staging = join((await isFolder(folder)) ? folder : dirname(folder), name);
  const made = makeStaging(staging);
  try {
    await options.writeWeights(staging);
    const tokenizer = await tokenizerFiles({ path: options.source });
    for (const { name, contents } of await files(tokenizer)) await writeSynced(join(staging, name), contents);
    await syncFolder(staging);
    await moveInto(staging, folder);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    removeMade(made);
    if (error instanceof AttuneError || !(error instanceof Error) || !("syscall" in error)) throw error;
    throw unwritable(folder, error);
  }
}

function unwritable(folder: string, error: unknown): AttuneError {
  const text = `Expected to write a model to ${folder} but could not: ${reasonOf(error)}. Choose a folder you may write to, with enough free space.`;
  return fail("ATTUNE_OUTPUT", text, { cause: error, details: { path: folder } });
}

async function isFolder(path: string): Promise<boolean> {
  const entry = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw unwritable(path, error);
  });
  if (entry === undefined || entry.isDirectory()) return entry !== undefined;
  throw fail("ATTUNE_OUTPUT", `Expected a folder at ${path} but it is a file.`, { details: { path } });
}

/** The parents that had to be made for it. */
function makeStaging(staging: string): readonly string[] {
  try {
    return makeFolder(staging).slice(0, -1);
  } catch (error) {
    throw unwritable(dirname(staging), error);
  }
}

/** Files that name the tokenizer's padding. */
const PAD_FILES: readonly string[] = ["tokenizer_config.json", "special_tokens_map.json"];

/** config.json and the tokenizer's files with a padding that no answer ends with. */
async function padded(options: {
  readonly json: Json;
  readonly source: string;
  readonly tokenizer: readonly NamedFile[];
}): Promise<readonly [Json, readonly NamedFile[]]> {
  const { json, source, tokenizer: files } = options;
  const parsed = (name: string): Json => {
    const file = files.find((one) => one.name === name);
    return file === undefined ? {} : (JSON.parse(new TextDecoder().decode(file.contents)) as Json);
  };
  const [tokenizerConfig, tokenizerJson] = [parsed("tokenizer_config.json"), parsed("tokenizer.json")];
  const tokenizer = "model" in tokenizerJson ? await loadTokenizer({ path: source }) : undefined;
  const pad = padToken({ json, tokenizerConfig, tokenizerJson, tokenizer });
  const config = { ...json, pad_token_id: pad.id };
  const { token } = pad;
  if (token === undefined) return [config, files];
  const others = files.filter(({ name }) => !PAD_FILES.includes(name));
  const named = [{ name: "tokenizer_config.json", contents: encode(withPadToken(tokenizerConfig, token)) }];
  const map = parsed("special_tokens_map.json");
  if (Object.keys(map).length > 0)
    named.push({ name: "special_tokens_map.json", contents: encode({ ...map, pad_token: token }) });
  return [config, [...others, ...named]];
}

/** The tokenizer's files and what goes beside them. */
function configFiles(
  { dtype, scoreNormalisation }: SaveModelOptions,
  json: Json,
  tokenizer: readonly NamedFile[],
): NamedFile[] {
  const config = { name: "config.json", contents: encode(configOf(json, dtype)) };
  const files = [...tokenizer, config, ...attuneFile({ scoreNormalisation })];
  if (!tokenizer.some(({ name }) => name === "generation_config.json")) {
    const ids = ["bos_token_id", "eos_token_id", "pad_token_id"].filter(
      (key) => typeof json[key] === "number",
    );
    const generation = Object.fromEntries(ids.map((key) => [key, json[key]]));
    files.push({ name: "generation_config.json", contents: encode(generation) });
  }
  return files;
}

/** The source's config.json with the number format of the saved weights. */
function configOf(json: Json, dtype: DType): Json {
  const name = dtype === "fp32" ? "float32" : "bfloat16";
  const spelled = ["dtype", "torch_dtype"].filter((key) => key in json);
  const keys = spelled.length > 0 ? spelled : ["torch_dtype"];
  return { ...json, ...Object.fromEntries(keys.map((key) => [key, name])) };
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`);
}

async function writeSynced(path: string, contents: Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isConfig(name: string): boolean {
  return name === "config.json" || name === "adapter_config.json";
}

/** One rename where the target is new; otherwise file by file, config.json last: without it nothing loads the folder. */
async function moveInto(staging: string, folder: string): Promise<void> {
  if (dirname(staging) !== folder) {
    await rename(staging, folder);
    await syncFolder(dirname(folder));
    return;
  }
  const names = (await readdir(staging)).sort((a, b) => Number(isConfig(a)) - Number(isConfig(b)));
  // An index of an earlier model would point at its shards, notes of one would be taken for this one's.
  for (const name of [INDEX, ATTUNE_JSON])
    if (!names.includes(name)) await rm(join(folder, name), { force: true });
  for (const name of names) await rename(join(staging, name), join(folder, name));
  await rmdir(staging);
  await syncFolder(folder);
}
