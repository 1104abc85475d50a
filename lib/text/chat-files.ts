// Finds the chat template of a model: chat_template.jinja, tokenizer_config.json, the GGUF's metadata, or a file named.
// Must not tokenise.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import { type ChatTemplate, createChatTemplate } from "./chat-template.js";
import type { GgufValue } from "./gguf-metadata.js";

type Json = Readonly<Record<string, unknown>>;
type Templates = Readonly<Record<string, string>>;

export interface ChatFilesOptions {
  readonly folder: string;
  readonly tokenizerConfig: Json;
  readonly specialTokensMap: Json;
  /** Metadata of the GGUF file that was named, where one was. */
  readonly metadata?: ReadonlyMap<string, GgufValue> | undefined;
  readonly chatTemplate?: string | undefined;
  readonly date?: Date | undefined;
}

/**
 * The template of a folder, in the order of transformers: `chat_template.jinja`, then `chat_template` of
 * tokenizer_config.json (a text, or a list of named ones); then the GGUF's. A file named by `chatTemplate` replaces all.
 * Undefined when there is none.
 */
export async function chatTemplateOf(options: ChatFilesOptions): Promise<ChatTemplate | undefined> {
  const { folder, tokenizerConfig, specialTokensMap, metadata, date } = options;
  const found = await findTemplates(options);
  if (found === undefined) return undefined;
  const named = { ...namedTokens(specialTokensMap), ...namedTokens(tokenizerConfig) };
  const specialTokens = { ...(metadata === undefined ? {} : ggufSpecialTokens(metadata)), ...named };
  return createChatTemplate({
    ...found,
    specialTokens,
    source: found.source ?? folder,
    ...(date === undefined ? {} : { date }),
  });
}

interface FoundTemplates {
  readonly templates: Templates;
  readonly source: string;
}

async function findTemplates(options: ChatFilesOptions): Promise<FoundTemplates | undefined> {
  const { folder, tokenizerConfig, metadata, chatTemplate } = options;
  if (chatTemplate !== undefined)
    return { templates: { default: await readNamed(chatTemplate) }, source: chatTemplate };
  const file = join(folder, "chat_template.jinja");
  const own = await readIfThere(file);
  if (own !== undefined) return { templates: { default: own }, source: file };
  const source = join(folder, "tokenizer_config.json");
  const listed = listedTemplates(tokenizerConfig.chat_template, source);
  if (listed !== undefined) return { templates: listed, source };
  return metadata === undefined ? undefined : ggufTemplates(metadata);
}

function ggufTemplates(metadata: ReadonlyMap<string, GgufValue>): FoundTemplates | undefined {
  const prefix = "tokenizer.chat_template";
  const templates: Record<string, string> = {};
  for (const [key, value] of metadata) {
    if (typeof value !== "string") continue;
    if (key === prefix) templates.default = value;
    else if (key.startsWith(`${prefix}.`)) templates[key.slice(prefix.length + 1)] = value;
  }
  return Object.keys(templates).length === 0 ? undefined : { templates, source: "the GGUF file" };
}

function ggufSpecialTokens(metadata: ReadonlyMap<string, GgufValue>): Record<string, string> {
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const names = { bos: "bos", eos: "eos", unknown: "unk", padding: "pad" };
  const entries = Object.entries(names).flatMap(([key, name]) => {
    const id = metadata.get(`tokenizer.ggml.${key}_token_id`);
    const token: unknown = Array.isArray(tokens) && typeof id === "number" ? tokens[id] : undefined;
    return typeof token === "string" ? [[`${name}_token`, token] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** Every `…_token` that is written as text or as an object with `content`. */
function namedTokens(json: Json): Record<string, string> {
  const entries = Object.entries(json).flatMap(([key, value]) => {
    if (!key.endsWith("_token")) return [];
    const text: unknown =
      typeof value === "object" && value !== null && "content" in value ? value.content : value;
    return typeof text === "string" ? [[key, text] as const] : [];
  });
  return Object.fromEntries(entries);
}

function listedTemplates(value: unknown, source: string): Templates | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return { default: value };
  const entries: [string, string][] = [];
  for (const item of Array.isArray(value) ? value : [value]) {
    const { name, template } = (typeof item === "object" && item !== null ? item : {}) as Json;
    if (typeof name !== "string" || typeof template !== "string") {
      const text = `Expected "chat_template" in ${source} to be a text or a list of { name, template }`;
      throw fail("ATTUNE_TEMPLATE", `${text} but found ${JSON.stringify(item)?.slice(0, 40)}.`);
    }
    entries.push([name, template]);
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fail("ATTUNE_FILE", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error, details: { path } });
  }
}

async function readNamed(path: string): Promise<string> {
  const text = await readIfThere(path);
  if (text !== undefined) return text;
  const message = `Expected a chat template (a Jinja file) at ${path}, but there is no such file.`;
  throw fail("ATTUNE_FILE", message, { details: { path } });
}
