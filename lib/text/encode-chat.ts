// Messages to ids with an exact boundary between prompt and answer: rendered by the chat template, tokenised apart.
// Must not know rows or length limits.

import { fail } from "../errors/index.js";
import type { ChatMessage, ChatTemplate, TemplateContext } from "./chat-template.js";
import { startOnce } from "./start-once.js";
import type { Tokenizer } from "./tokenizer.js";

export interface ChatPromptOptions {
  readonly tokenizer: Tokenizer;
  readonly messages: readonly ChatMessage[];
  readonly context?: TemplateContext;
}

export interface ChatPrompt {
  /** The rendered prompt: what the model reads before it answers. */
  readonly text: string;
  /** Its ids, BOS once in front where the tokenizer or the template puts one. */
  readonly ids: Int32Array;
}

/**
 * A prompt: after a user's or tool's message the assistant's turn is opened, an assistant's message is left open to be
 * continued. Throws ATTUNE_TEMPLATE when there is no template, it refuses the messages or writes BOS twice.
 */
export function encodeChatPrompt({ tokenizer, messages, context = {} }: ChatPromptOptions): ChatPrompt {
  const chat = chatOf(tokenizer);
  const text = renderPrompt(chat, messages, context);
  return { text, ids: startOnce(tokenizer, tokenizer.encode(text)) };
}

export interface ChatCompletionOptions extends ChatPromptOptions {
  /** Of `encodeChatPrompt` for the same messages. */
  readonly promptText: string;
  /** The answer: from an assistant's message to an assistant's message. */
  readonly completion: readonly ChatMessage[];
}

/**
 * Ids of an answer, without special tokens added, cut after the token that ends its last turn.
 * Throws ATTUNE_TEMPLATE_PREFIX when the template renders the prompt differently once the answer follows, and
 * ATTUNE_TEMPLATE when it does not end the turn with an EOS token.
 */
export function encodeChatCompletion(options: ChatCompletionOptions): Int32Array {
  const { tokenizer, messages, completion, promptText, context = {} } = options;
  const chat = chatOf(tokenizer);
  const whole = chat.render(joinTurns(messages, completion), context);
  requirePrefix({ prefix: promptText, whole, source: chat.source });
  const ids = tokenizer.encode(whole.slice(promptText.length));
  return ids.slice(0, endOfTurn({ tokenizer, ids, from: 0, to: ids.length }));
}

/** The template of a tokenizer. Throws ATTUNE_TEMPLATE when the model has none. */
export function chatOf(tokenizer: Tokenizer): ChatTemplate {
  if (tokenizer.chat !== undefined) return tokenizer.chat;
  const text = "Expected a chat template, which turns messages into text, but the model's files hold none.";
  throw fail("ATTUNE_TEMPLATE", `${text} Give one with --chat-template FILE, or write the rows as text.`);
}

/** Stands for the end of a message that is to be continued; private-use characters that no text holds. */
const END_MARK = "\uE0A7\uE0A8\uE0A7";

function renderPrompt(
  chat: ChatTemplate,
  messages: readonly ChatMessage[],
  context: TemplateContext,
): string {
  const last = messages.at(-1);
  if (last?.role !== "assistant") return chat.render(messages, { ...context, addGenerationPrompt: true });
  const marked = { ...last, content: `${contentOf(last)}${END_MARK}` };
  const text = chat.render([...messages.slice(0, -1), marked], context);
  const end = text.lastIndexOf(END_MARK);
  if (end >= 0) return text.slice(0, end);
  const found = `Expected the chat template of ${chat.source} to write out the last message, which is to be continued`;
  throw fail("ATTUNE_TEMPLATE", `${found}, but it leaves it out.`);
}

/** The answer's first message continues a prompt that ends with the assistant's. */
function joinTurns(
  prompt: readonly ChatMessage[],
  completion: readonly ChatMessage[],
): readonly ChatMessage[] {
  const last = prompt.at(-1);
  const [first, ...others] = completion;
  if (last?.role !== "assistant" || first === undefined) return [...prompt, ...completion];
  const joined = { ...last, ...first, content: contentOf(last) + contentOf(first) };
  return [...prompt.slice(0, -1), joined, ...others];
}

function contentOf({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) return "";
  const text = "Expected text in an assistant's message that is to be continued but found a list of parts.";
  throw fail("ATTUNE_TEMPLATE", text);
}

export interface PrefixCheck {
  readonly prefix: string;
  readonly whole: string;
  readonly source: string;
}

/** Throws ATTUNE_TEMPLATE_PREFIX, showing where the two part. */
export function requirePrefix({ prefix, whole, source }: PrefixCheck): void {
  if (whole.startsWith(prefix)) return;
  let same = 0;
  while (same < prefix.length && prefix[same] === whole[same]) same++;
  const show = (text: string) => JSON.stringify(text.slice(same, same + 30));
  const what = `Expected the chat template of ${source} to begin a conversation as it renders the prompt alone`;
  const found = `after ${same} characters the prompt goes on ${show(prefix)}, the conversation ${show(whole)}`;
  const advice =
    "Templates that rewrite earlier turns cannot be trained on; give another with --chat-template.";
  throw fail("ATTUNE_TEMPLATE_PREFIX", `${what}, but ${found}. ${advice}`, { details: { characters: same } });
}

export interface EndOfTurnOptions {
  readonly tokenizer: Tokenizer;
  readonly ids: Int32Array;
  /** The turn's ids are [from, to). */
  readonly from: number;
  readonly to: number;
}

/** Where a turn ends, its EOS included: nothing but white space and further EOS tokens may follow. */
export function endOfTurn({ tokenizer, ids, from, to }: EndOfTurnOptions): number {
  let end: number | undefined;
  for (let i = to - 1; i >= from; i--) {
    const id = ids[i] ?? -1;
    if (tokenizer.eosIds.includes(id)) end = i + 1;
    else if (tokenizer.decode([id]).trim() !== "") break;
  }
  if (end !== undefined) return end;
  const names = tokenizer.eosIds.map((id) => JSON.stringify(tokenizer.tokenOf(id))).join(", ") || "none";
  const tail = JSON.stringify(tokenizer.decode(ids.subarray(Math.max(from, to - 8), to)));
  const what = `Expected the chat template to end an assistant's turn with an EOS token (${names}) but it ends with ${tail}`;
  const advice = 'Name the end-of-turn token in "eos_token_id" of generation_config.json.';
  throw fail("ATTUNE_TEMPLATE", `${what}. ${advice}`);
}
