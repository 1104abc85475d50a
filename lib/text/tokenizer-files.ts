// The files that make a saved model folder complete: the tokenizer's own, copied, or written from a GGUF's vocabulary.
// Must not write: the caller places them atomically with the weights.

import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { readGguf } from "./gguf-metadata.js";
import { ggufSpecialIds, ggufTokenizerJson } from "./gguf-vocabulary.js";

export interface TokenizerFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

const names = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
];

export interface TokenizerFilesOptions {
  /** A model folder, or a GGUF file. */
  readonly path: string;
  /** A Jinja file that takes the place of the source's own chat template. */
  readonly chatTemplate?: string | undefined;
}

/**
 * Files to put beside saved weights so that the folder loads as the source did: those of a folder (or beside a GGUF
 * file) as they are, else tokenizer.json and tokenizer_config.json made from the GGUF's vocabulary.
 * Throws ATTUNE_FILE when a file cannot be read, ATTUNE_TOKENIZER when a GGUF vocabulary is not supported.
 */
export async function tokenizerFiles(options: TokenizerFilesOptions): Promise<readonly TokenizerFile[]> {
  const { path, chatTemplate } = options;
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    (error: unknown) => {
      throw fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, {
        cause: error,
        details: { path },
      });
    },
  );
  const folder = isFolder ? path : dirname(path);
  const found = await Promise.all(names.map((name) => readIfThere(folder, name)));
  const files = found.filter((file) => file !== undefined);
  const complete = files.some(({ name }) => name === "tokenizer.json");
  const own = complete || !path.endsWith(".gguf") ? files : filesOfGguf(path);
  if (chatTemplate === undefined) return own;
  const name = "chat_template.jinja";
  const contents = await readNamed(chatTemplate);
  return [...own.filter((file) => file.name !== name), { name, contents }];
}

async function readNamed(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const text = `Expected a chat template (a Jinja file) at ${path}, but it cannot be read: ${reasonOf(error)}`;
    throw fail("ATTUNE_FILE", text, { cause: error, details: { path } });
  }
}

async function readIfThere(folder: string, name: string): Promise<TokenizerFile | undefined> {
  const path = join(folder, name);
  try {
    return { name, contents: await readFile(path) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error, details: { path } });
  }
}

function filesOfGguf(path: string): TokenizerFile[] {
  const { metadata } = readGguf({ path });
  const json = ggufTokenizerJson({ metadata, path });
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const nameOf = (id: unknown) => {
    const token: unknown = Array.isArray(tokens) && typeof id === "number" ? tokens[id] : undefined;
    return typeof token === "string" ? token : undefined;
  };
  const { eosIds, bosId } = ggufSpecialIds(metadata);
  const template = metadata.get("tokenizer.chat_template");
  const config = {
    bos_token: nameOf(bosId),
    chat_template: typeof template === "string" ? template : undefined,
    clean_up_tokenization_spaces: false,
    eos_token: nameOf(eosIds[0]),
    pad_token: nameOf(metadata.get("tokenizer.ggml.padding_token_id")),
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: nameOf(metadata.get("tokenizer.ggml.unknown_token_id")),
  };
  const encode = (value: object) => new TextEncoder().encode(`${JSON.stringify(value, undefined, 1)}\n`);
  return [
    { name: "tokenizer.json", contents: encode(json) },
    { name: "tokenizer_config.json", contents: encode(config) },
  ];
}
