// The ids of one row before any length rule: texts, messages and token ids, with exact boundaries and EOS.
// Must not know length limits or counts.

import { fail } from "../errors/index.js";
import {
  type ChatMessage,
  encodeChatCompletion,
  encodeChatPrompt,
  startOnce,
  type TemplateContext,
  type Tokenizer,
} from "../text/index.js";
import { encodeConversation } from "./encode-conversation.js";
import { joinIds, type SequenceIds } from "./fit-length.js";
import type { Content, Row } from "./rows.js";

/** What rows are for. */
export type Task =
  | "sft"
  | "preference"
  | "prompt"
  | "unpaired"
  | "ranking"
  | "rating"
  | "reward"
  | "stepwise";

export interface EncodedRow extends SequenceIds {
  readonly klCompletion?: Int32Array;
  /** What the hash of the prompt covers. */
  readonly hashed: readonly Int32Array[];
}

export interface EncodeRowOptions {
  readonly row: Row;
  readonly tokenizer: Tokenizer;
  readonly task: Task;
  readonly assistantOnly: boolean | undefined;
}

/**
 * Ids = tok(prompt) ++ tok(completion), for every completion the task uses. Token ids are taken as they are: nothing is
 * put in front or behind.
 */
export function encodeRow({ row, tokenizer, task, assistantOnly }: EncodeRowOptions): EncodedRow {
  const context = contextOf(row);
  if (row.type === "text") return encodeText({ content: row.text, tokenizer, context, assistantOnly });
  const { prompt: content } = row;
  const sides = sidesOf(row, task);
  const [first] = sides;
  if (assistantOnly === true && task === "sft" && first !== undefined) {
    const masked = maskedSides({ content, first, tokenizer, context });
    if (masked !== undefined) return masked;
  }
  const { prompt, encode } = promptOf({ content, tokenizer, context });
  const isLast = (i: number) => row.type !== "stepwise" || i === sides.length - 1;
  const completions = sides.map((side, i) =>
    encode(side, { first: i === 0 || row.type !== "stepwise", last: isLast(i) }),
  );
  const other = row.type === "unpaired" ? row.klCompletion : undefined;
  return {
    prompt,
    completions,
    hashed: [prompt],
    ...(other === undefined ? {} : { klCompletion: encode(other, { first: true, last: true }) }),
  };
}

function contextOf({ tools, templateVariables }: Row): TemplateContext {
  return {
    ...(tools === undefined ? {} : { tools }),
    ...(templateVariables === undefined ? {} : { kwargs: templateVariables }),
  };
}

/** The answers that a task uses. */
function sidesOf(row: Exclude<Row, { type: "text" }>, task: Task): readonly Content[] {
  if (task === "prompt" || row.type === "prompt") return [];
  if (row.type === "preference") return task === "sft" ? [row.chosen] : [row.chosen, row.rejected];
  return "completions" in row ? row.completions : [row.completion];
}

interface PromptOptions {
  readonly content: Content;
  readonly tokenizer: Tokenizer;
  readonly context: TemplateContext;
}

/** Where an answer's part stands: steps of one answer are parts, other answers are first and last at once. */
interface Position {
  readonly first: boolean;
  readonly last: boolean;
}

interface EncodedPrompt {
  readonly prompt: Int32Array;
  readonly encode: (side: Content, position: Position) => Int32Array;
}

function promptOf({ content, tokenizer, context }: PromptOptions): EncodedPrompt {
  if (typeof content === "string") return textPrompt(content, tokenizer);
  if (content instanceof Int32Array) return { prompt: content, encode: idsOf };
  const { text, ids } = encodeChatPrompt({ tokenizer, messages: content, context });
  const rest = { tokenizer, messages: content, promptText: text, context };
  return { prompt: ids, encode: (side) => encodeChatCompletion({ ...rest, completion: messagesOf(side) }) };
}

/** White space at a plain prompt's end moves to the completions; these end with EOS unless the text spells it out. */
function textPrompt(content: string, tokenizer: Tokenizer): EncodedPrompt {
  const end = lengthWithoutEnd(content);
  const moved = content.slice(end);
  return {
    prompt: startOnce(tokenizer, tokenizer.encode(content.slice(0, end))),
    encode: (side, { first, last }) => {
      const ids = tokenizer.encode((first ? moved : "") + textOf(side));
      return last ? withEos(ids, tokenizer) : ids;
    },
  };
}

const WHITE_SPACE = /^\p{White_Space}$/u;

/** Length without the white space at the end; read from behind, since a pattern would try every run of it. */
function lengthWithoutEnd(text: string): number {
  let end = text.length;
  while (end > 0 && WHITE_SPACE.test(text[end - 1] ?? "")) end -= 1;
  return end;
}

export function withEos(ids: Int32Array, tokenizer: Tokenizer): Int32Array {
  const last = ids.at(-1);
  if (last !== undefined && tokenizer.eosIds.includes(last)) return ids;
  return joinIds(ids, Int32Array.of(eosOf(tokenizer)));
}

/** Throws ATTUNE_TOKENIZER when the model's files name none. */
export function eosOf(tokenizer: Tokenizer): number {
  if (tokenizer.eosId !== undefined) return tokenizer.eosId;
  const advice = 'Set "eos_token" in tokenizer_config.json or "eos_token_id" in config.json.';
  throw fail(
    "ATTUNE_TOKENIZER",
    `Expected an EOS token, which ends every answer, but the tokenizer names none. ${advice}`,
  );
}

interface TextOptions extends PromptOptions {
  readonly assistantOnly: boolean | undefined;
}

/** Rows without a prompt: the first token predicts the others; of a conversation the assistant's tokens count. */
function encodeText({ content, tokenizer, context, assistantOnly }: TextOptions): EncodedRow {
  if (typeof content !== "string" && !(content instanceof Int32Array)) {
    const wanted = assistantOnly ?? true;
    return encodeConversation({ tokenizer, messages: content, context, assistantOnly: wanted });
  }
  if (assistantOnly === true) {
    const text =
      "Expected messages, whose assistant's turns can be told, for assistant-only loss but found a text.";
    throw fail("ATTUNE_OPTION", `${text} Leave --assistant-only out, or write the rows as messages.`);
  }
  const all =
    typeof content === "string"
      ? withEos(startOnce(tokenizer, tokenizer.encode(content)), tokenizer)
      : content;
  const [prompt, completion] = [all.slice(0, 1), all.slice(1)];
  return { prompt, completions: [completion], hashed: [prompt, completion] };
}

interface MaskedOptions extends PromptOptions {
  readonly first: Content;
}

/** An answer of several turns of which only the assistant's count; undefined when there is nothing to leave out. */
function maskedSides({ content, first, tokenizer, context }: MaskedOptions): EncodedRow | undefined {
  if (!isMessages(content) || !isMessages(first)) {
    const text =
      "Expected messages, whose assistant's turns can be told, for assistant-only loss but found text or ids.";
    throw fail("ATTUNE_OPTION", `${text} Leave --assistant-only out, or write the rows as messages.`);
  }
  if (first.every(({ role }) => role === "assistant")) return undefined;
  if (content.at(-1)?.role === "assistant") {
    const text = "Expected a prompt that ends with a user's message, since its answer has several turns,";
    throw fail("ATTUNE_DATA", `${text} but it ends with the assistant's. Write the row as "messages".`);
  }
  const skipTurns = content.filter(({ role }) => role === "assistant").length;
  const messages = [...content, ...first];
  return encodeConversation({ tokenizer, messages, context, assistantOnly: true, skipTurns });
}

export function isMessages(content: Content): content is readonly ChatMessage[] {
  return typeof content !== "string" && !(content instanceof Int32Array);
}

// All columns of a row hold the same form: check-row.ts made sure of it.

function textOf(content: Content): string {
  if (typeof content === "string") return content;
  throw fail("ATTUNE_DATA_COLUMN", "Expected text beside a text prompt but found another form.");
}

function idsOf(content: Content): Int32Array {
  if (content instanceof Int32Array) return content;
  throw fail("ATTUNE_DATA_COLUMN", "Expected token ids beside a prompt of token ids but found another form.");
}

function messagesOf(content: Content): readonly ChatMessage[] {
  if (isMessages(content)) return content;
  throw fail("ATTUNE_DATA_COLUMN", "Expected messages beside a prompt of messages but found another form.");
}
