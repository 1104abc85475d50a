// A model's chat template: turns messages into the text the model was trained on, as transformers renders it.
// Must not tokenise or read files.

import { createHash } from "node:crypto";
import { fail, reasonOf } from "../errors/index.js";
import { type CompiledTemplate, compileTemplate, RaisedByTemplate } from "./jinja.js";

/** One turn of a conversation. Other keys (tool_calls, name …) are seen by the template as they are. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** What a template sees beside the messages. */
export interface TemplateContext {
  /** JSON schemas of tools the model may call. */
  readonly tools?: readonly unknown[];
  /** Texts for retrieval, for templates that place them. */
  readonly documents?: readonly unknown[];
  /** Further variables (`enable_thinking: false` …); those of a row are its `chat_template_kwargs`. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
}

export interface RenderOptions extends TemplateContext {
  /** Open the assistant's turn after the last message. Default false. */
  readonly addGenerationPrompt?: boolean;
}

export interface ChatTemplate {
  /**
   * The conversation as text. Throws ATTUNE_TEMPLATE with the template's own words when it refuses the messages, and with
   * the reason when it cannot be followed.
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  /** The Jinja source that plain conversations use. */
  readonly template: string;
  /** Where it came from, for messages. */
  readonly source: string;
  /** SHA-256 of templates, special tokens and (where a template asks for it) the date, hexadecimal; part of cache keys. */
  readonly hash: string;
}

export interface CreateChatTemplateOptions {
  /** Jinja sources by name; `default` is used, and `tool_use` for conversations with tools. */
  readonly templates: Readonly<Record<string, string>>;
  /** Spellings by name: `bos_token`, `eos_token` … */
  readonly specialTokens?: Readonly<Record<string, unknown>>;
  readonly source: string;
  /** What `strftime_now` says. Default: the start of today, universal time. */
  readonly date?: Date;
}

/** Templates are parsed at their first use: a broken one does not keep anybody from plain text. */
export function createChatTemplate(options: CreateChatTemplateOptions): ChatTemplate {
  const { templates, specialTokens = {}, source } = options;
  const date = options.date ?? startOfDay(new Date());
  const compiled = new Map<string, CompiledTemplate>();
  const templateOf = (name: string) => {
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const made = compile(name, templates, source);
    compiled.set(name, made);
    return made;
  };
  return {
    template: templates.default ?? "",
    source,
    hash: hashOf({ templates, specialTokens, date }),
    render: (messages, { addGenerationPrompt = false, tools, documents, kwargs = {} } = {}) => {
      const template = templateOf(tools !== undefined && "tool_use" in templates ? "tool_use" : "default");
      const variables = {
        ...specialTokens,
        tools: tools ?? null,
        documents: documents ?? null,
        ...kwargs,
        // What a row asks for must not move the boundary between prompt and answer.
        messages,
        add_generation_prompt: addGenerationPrompt,
      };
      try {
        return template(variables, date);
      } catch (error) {
        throw refused(error, source);
      }
    },
  };
}

/** 00:00 of the day, universal time: a template's date stays the same during a run. */
export function startOfDay(time: Date): Date {
  return new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()));
}

function compile(name: string, templates: Readonly<Record<string, string>>, source: string) {
  const advice = "Give another one with --chat-template.";
  const text = templates[name];
  if (text === undefined) {
    const found = Object.keys(templates).join(", ") || "none";
    const message = `Expected a chat template named "${name}" in ${source} but found ${found}. ${advice}`;
    throw fail("ATTUNE_TEMPLATE", message);
  }
  try {
    return compileTemplate(text);
  } catch (error) {
    const message = `Expected the chat template in ${source} to be a Jinja template, but it cannot be parsed`;
    throw fail("ATTUNE_TEMPLATE", `${message}: ${reasonOf(error)}. ${advice}`, { cause: error });
  }
}

function refused(error: unknown, source: string) {
  if (error instanceof RaisedByTemplate) {
    const text = `Expected messages that the chat template of ${source} takes, but it refuses them: ${error.message}.`;
    return fail("ATTUNE_TEMPLATE", `${text} Change the messages, or give another template.`, {
      cause: error,
    });
  }
  const text = `The chat template of ${source} fails on these messages: ${reasonOf(error)}.`;
  return fail("ATTUNE_TEMPLATE", `${text} Change the messages, or give another template.`, { cause: error });
}

interface HashedTemplate {
  readonly templates: Readonly<Record<string, string>>;
  readonly specialTokens: Readonly<Record<string, unknown>>;
  readonly date: Date;
}

function hashOf({ templates, specialTokens, date }: HashedTemplate): string {
  const dated = Object.values(templates).some((text) => text.includes("strftime_now"));
  const parts = [templates, specialTokens, dated ? date.toISOString() : ""];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
