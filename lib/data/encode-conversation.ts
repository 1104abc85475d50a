// A whole conversation as one sequence whose targets are the assistant's tokens, each turn up to its end-of-turn token.
// Must not know row types or length limits.

import { fail } from "../errors/index.js";
import {
  type ChatMessage,
  endOfTurn,
  maskConversation,
  startOnce,
  type TemplateContext,
  type Tokenizer,
} from "../text/index.js";
import type { SequenceIds } from "./fit-length.js";

export interface EncodeConversationOptions {
  readonly tokenizer: Tokenizer;
  readonly messages: readonly ChatMessage[];
  readonly context: TemplateContext;
  /** Whether the assistant's tokens alone are targets; else every token but the first is. */
  readonly assistantOnly: boolean;
  /** Turns of the assistant at the start that belong to the prompt. Default 0. */
  readonly skipTurns?: number;
}

export interface EncodedConversation extends SequenceIds {
  /** What the hash of the prompt covers: all before the first answer, whichever tokens are targets. */
  readonly hashed: readonly Int32Array[];
}

/**
 * Prompt: up to the first target. Completion: from there to the last target, with a mask where others lie between. What
 * follows the last target predicts nothing and is left out.
 */
export function encodeConversation(options: EncodeConversationOptions): EncodedConversation {
  const { tokenizer, messages, context, assistantOnly, skipTurns = 0 } = options;
  const { ids, turns } = maskConversation({ tokenizer, messages, context });
  const started = startOnce(tokenizer, ids);
  const shift = started.length - ids.length;
  const spans = turns
    .slice(skipTurns)
    .map(([from, to]) => [from + shift, endOfTurn({ tokenizer, ids, from, to }) + shift] as const);
  const first = spans[0];
  const last = spans.at(-1);
  if (first === undefined || last === undefined) {
    const text = "Expected an assistant's message to learn from but found none.";
    throw fail("ATTUNE_DATA", `${text} Add one, or leave the row out.`);
  }
  const question = started.slice(0, first[0]);
  const hashed = [question];
  if (!assistantOnly) {
    const end = messages.at(-1)?.role === "assistant" ? last[1] : started.length;
    return { prompt: started.slice(0, 1), completions: [started.slice(1, end)], hashed };
  }
  const completion = started.slice(first[0], last[1]);
  if (spans.length === 1) return { prompt: question, completions: [completion], hashed };
  const mask = new Uint8Array(completion.length);
  for (const [from, to] of spans) mask.fill(1, from - first[0], to - first[0]);
  return { prompt: question, completions: [completion], masks: [mask], hashed };
}
