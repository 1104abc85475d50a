// Shortens a prompt that is sampled from: whole messages or lines go from its front until it fits.
// Must not cut inside a message or a line.

import { type ChatMessage, encodeChatPrompt, startOnce, type Tokenizer } from "../text/index.js";
import { isMessages } from "./encode-row.js";
import type { Row } from "./rows.js";

export interface CutPromptOptions {
  readonly row: Row;
  readonly tokenizer: Tokenizer;
  readonly maxLength: number;
}

export interface ShorterPrompt {
  readonly ids: Int32Array;
  readonly content: string | readonly ChatMessage[];
}

/** What is left, or undefined when the last message or line alone is too long. */
export function cutPrompt({ row, tokenizer, maxLength }: CutPromptOptions): ShorterPrompt | undefined {
  if (row.type === "text" || row.prompt instanceof Int32Array) return undefined;
  const { prompt } = row;
  const context = {
    ...(row.tools === undefined ? {} : { tools: row.tools }),
    ...(row.templateVariables === undefined ? {} : { kwargs: row.templateVariables }),
  };
  for (const shorter of isMessages(prompt) ? fewerMessages(prompt) : fewerLines(prompt)) {
    const ids =
      typeof shorter === "string"
        ? startOnce(tokenizer, tokenizer.encode(shorter))
        : encodeChatPrompt({ tokenizer, messages: shorter, context }).ids;
    if (ids.length <= maxLength && ids.length > 0) return { ids, content: shorter };
  }
  return undefined;
}

/** The system's messages stay; a conversation goes on with a user's message. */
function* fewerMessages(messages: readonly ChatMessage[]): Generator<readonly ChatMessage[]> {
  const system = messages.filter(({ role }) => role === "system");
  const turns = messages.filter(({ role }) => role !== "system");
  for (let from = 1; from < turns.length; from++) {
    if (turns[from]?.role === "user") yield [...system, ...turns.slice(from)];
  }
}

function* fewerLines(text: string): Generator<string> {
  const lines = text.trimEnd().split("\n");
  for (let from = 1; from < lines.length; from++) yield lines.slice(from).join("\n");
}
