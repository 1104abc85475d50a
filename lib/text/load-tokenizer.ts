// Finds and reads the tokenizer of a model: a Hugging Face folder, a tokenizer.json, or a GGUF file.
// Must not know rows or models: only files, vocabularies and special ids.

import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { chatTemplateOf } from "./chat-files.js";
import { startOfDay } from "./chat-template.js";
import { type GgufHeader, readGguf } from "./gguf-metadata.js";
import { ggufSpecialIds, ggufTokenizerJson } from "./gguf-vocabulary.js";
import { type FolderFiles, specialIdsOf } from "./special-ids.js";
import { createTokenizer, type LoadTokenizerOptions, type Tokenizer } from "./tokenizer.js";

/**
 * Loads the tokenizer that belongs to a model path.
 *
 * - a folder: its `tokenizer.json`, special tokens from `tokenizer_config.json`, `generation_config.json`, `config.json`
 * - a `tokenizer.json` itself: the same, with the files beside it
 * - another file of a folder (its weights): the `tokenizer.json` beside it
 * - a GGUF file: the `tokenizer.json` in the same folder if there is one, else the file's own vocabulary
 *
 * Throws ATTUNE_FILE when the path cannot be read, ATTUNE_TOKENIZER when there is no usable tokenizer,
 * ATTUNE_FORMAT when a GGUF header is broken. A broken chat template is an error at its first use.
 */
export async function loadTokenizer(options: LoadTokenizerOptions): Promise<Tokenizer> {
  // The date is fixed here, so that a thread that loads it again after midnight renders the same.
  const { path, chatTemplate, date = startOfDay(new Date()) } = options;
  const origin = { path, chatTemplate, date };
  return { ...(await loadFrom(origin)), origin };
}

async function loadFrom({ path, chatTemplate, date }: LoadTokenizerOptions): Promise<Tokenizer> {
  const chat = { chatTemplate, date };
  const kind = await kindOf(path);
  if (kind === "folder")
    return loadFolder({ folder: path, file: "tokenizer.json", missing: noTokenizer(path), ...chat });
  const folder = dirname(path);
  if (kind === "other") {
    return loadFolder({ folder, file: path.endsWith(".json") ? basename(path) : "tokenizer.json", ...chat });
  }
  if (await exists(join(folder, "tokenizer.json")))
    return loadFolder({ folder, file: "tokenizer.json", gguf: path, ...chat });
  const { metadata } = readGguf({ path });
  return createTokenizer({
    json: ggufTokenizerJson({ metadata, path }),
    specialIds: () => ggufSpecialIds(metadata),
    source: path,
    chat: await chatTemplateOf({ ...chat, folder, tokenizerConfig: {}, specialTokensMap: {}, metadata }),
  });
}

function noTokenizer(folder: string): string {
  return `Expected tokenizer.json in ${folder} but there is none. Save the model with its fast tokenizer, or put the file there.`;
}

async function kindOf(path: string): Promise<"folder" | "other" | "gguf"> {
  try {
    if ((await stat(path)).isDirectory()) return "folder";
    const file = await open(path);
    try {
      const magic = Buffer.alloc(4);
      await file.read(magic, 0, 4, 0);
      return magic.toString("latin1") === "GGUF" || path.endsWith(".gguf") ? "gguf" : "other";
    } finally {
      await file.close();
    }
  } catch (error) {
    const text = `Expected a model folder, a tokenizer.json or a .gguf file at ${path}, but it cannot be read`;
    throw fail("ATTUNE_FILE", `${text}: ${reasonOf(error)}`, { cause: error, details: { path } });
  }
}

interface LoadFolderOptions extends Pick<LoadTokenizerOptions, "chatTemplate" | "date"> {
  readonly folder: string;
  readonly file: string;
  /** Message when the file is not there. */
  readonly missing?: string;
  /** A GGUF file whose special ids count when the folder's files name none. */
  readonly gguf?: string;
}

async function loadFolder(options: LoadFolderOptions): Promise<Tokenizer> {
  const { folder, file, missing, gguf, chatTemplate, date } = options;
  const source = join(folder, file);
  const bytes = await readOptional(source);
  if (bytes === undefined)
    throw fail("ATTUNE_TOKENIZER", missing ?? noTokenizer(folder), { details: { path: source } });
  const contentHash = createHash("sha256").update(bytes).digest("hex");
  const json = parse(bytes, source);
  const files: FolderFiles = {
    tokenizerConfig: await readObject(join(folder, "tokenizer_config.json")),
    specialTokensMap: await readObject(join(folder, "special_tokens_map.json")),
    generationConfig: await readObject(join(folder, "generation_config.json")),
    config: await readObject(join(folder, "config.json")),
  };
  let header: GgufHeader | undefined;
  const metadataOf = (path: string) => {
    header ??= readGguf({ path });
    return header.metadata;
  };
  const { tokenizerConfig, specialTokensMap } = files;
  const named = { folder, tokenizerConfig, specialTokensMap, chatTemplate, date };
  const chat = await chatTemplateOf(named);
  return createTokenizer({
    json,
    source,
    contentHash,
    chat:
      chat ??
      (gguf === undefined ? undefined : await chatTemplateOf({ ...named, metadata: metadataOf(gguf) })),
    specialIds: (idOf) => {
      const found = specialIdsOf(files, idOf);
      if (found.eosIds.length > 0 || gguf === undefined) return found;
      return ggufSpecialIds(metadataOf(gguf));
    },
  });
}

async function readObject(path: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readOptional(path);
  if (bytes === undefined) return {};
  const value = parse(bytes, path);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw fail(
    "ATTUNE_TOKENIZER",
    `Expected a JSON object in ${path} but found ${JSON.stringify(value)?.slice(0, 40)}.`,
  );
}

function parse(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    const text = `Expected JSON in ${path} but it cannot be parsed (${reasonOf(error)}). Is the file complete?`;
    throw fail("ATTUNE_TOKENIZER", text, { cause: error, details: { path } });
  }
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error, details: { path } });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
