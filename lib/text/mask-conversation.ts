// Which tokens of a whole conversation the assistant wrote, found by rendering it turn by turn.
// Must not know rows: trainers decide what they do with the tokens after an end of turn.

import type { ChatMessage, ChatTemplate, TemplateContext } from "./chat-template.js";
import { chatOf, requirePrefix } from "./encode-chat.js";
import type { Tokenizer } from "./tokenizer.js";

export interface MaskConversationOptions {
  readonly tokenizer: Tokenizer;
  readonly messages: readonly ChatMessage[];
  readonly context?: TemplateContext;
}

/** From, to (exclusive). */
export type Span = readonly [number, number];

export interface MaskedConversation {
  /** The whole conversation as rendered. */
  readonly text: string;
  /** [tokens] of the text, nothing added in front. */
  readonly ids: Int32Array;
  /** [tokens] 1 from the end of an assistant's heading to the end of its turn, the line break after it included. */
  readonly mask: Uint8Array;
  /** Characters of `text` (UTF-16 units) that each assistant's turn covers. */
  readonly characters: readonly Span[];
  /** Tokens that each assistant's turn covers. */
  readonly turns: readonly Span[];
  /**
   * A token straddled a boundary, so the parts between boundaries were tokenised apart: that is how the model meets an
   * answer when it writes one. The ids then differ from those of the whole text.
   */
  readonly inParts: boolean;
}

/**
 * Renders and tokenises a conversation, with a mask of the assistant's tokens.
 * Throws ATTUNE_TEMPLATE_PREFIX when the template rewrites earlier turns, ATTUNE_TEMPLATE when it refuses the messages.
 */
export function maskConversation(options: MaskConversationOptions): MaskedConversation {
  const { tokenizer, messages, context = {} } = options;
  const chat = chatOf(tokenizer);
  const text = chat.render(messages, context);
  const characters = turnsOf({ chat, messages, context, text });
  const bounds = characters.flat();
  const parts = [0, ...bounds].map((from, i) => tokenizer.encode(text.slice(from, bounds[i] ?? text.length)));
  const whole = tokenizer.encode(text);
  const joined = join(parts);
  const lengths = endsOf(parts);
  const counted = equal(whole, joined) ? lengths : prefixLengths({ tokenizer, text, bounds, whole });
  const ids = counted === undefined ? joined : whole;
  const starts = counted ?? lengths;
  const turns = characters.map((_, i): Span => [starts[2 * i] ?? 0, starts[2 * i + 1] ?? 0]);
  const mask = new Uint8Array(ids.length);
  for (const [from, to] of turns) mask.fill(1, from, to);
  return { text, ids, mask, characters, turns, inParts: counted === undefined };
}

interface TurnsOptions {
  readonly chat: ChatTemplate;
  readonly messages: readonly ChatMessage[];
  readonly context: TemplateContext;
  readonly text: string;
}

/** An assistant's turn: behind the prompt with its heading opened, up to where its message ends. */
function turnsOf({ chat, messages, context, text }: TurnsOptions): Span[] {
  const lengthOf = (count: number, addGenerationPrompt: boolean): number => {
    if (count === messages.length && !addGenerationPrompt) return text.length;
    const prefix = chat.render(messages.slice(0, count), { ...context, addGenerationPrompt });
    requirePrefix({ prefix, whole: text, source: chat.source });
    return prefix.length;
  };
  return messages.flatMap(({ role }, i) =>
    role === "assistant" ? [[lengthOf(i, true), lengthOf(i + 1, false)] as const] : [],
  );
}

interface PrefixLengthOptions {
  readonly tokenizer: Tokenizer;
  readonly text: string;
  readonly bounds: readonly number[];
  readonly whole: Int32Array;
}

/** Tokens before each boundary; undefined when at one of them a token straddles. */
function prefixLengths({ tokenizer, text, bounds, whole }: PrefixLengthOptions): number[] | undefined {
  const lengths: number[] = [];
  for (const bound of bounds) {
    const prefix = tokenizer.encode(text.slice(0, bound));
    if (!prefix.every((id, i) => whole[i] === id)) return undefined;
    lengths.push(prefix.length);
  }
  return lengths;
}

/** Tokens up to the end of the first part, of the second … */
function endsOf(parts: readonly Int32Array[]): number[] {
  let sum = 0;
  return parts.map(({ length }) => {
    sum += length;
    return sum;
  });
}

function join(parts: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
