// Checks lists of messages and splits pairs of conversations where they part.
// Must not render or tokenise: lib/text does.

import type { ErrorCode } from "../errors/index.js";
import type { ChatMessage } from "../text/index.js";

export type CheckedMessages =
  | { readonly messages: readonly ChatMessage[] }
  | { readonly code: ErrorCode; readonly expected: string; readonly found: string };

/**
 * Messages of a prompt, an answer (from an assistant's message to an assistant's) or a whole conversation. What a
 * prompt or the last answer says must not be empty.
 */
export function checkMessages(
  list: readonly object[],
  part: "prompt" | "answer" | "conversation",
): CheckedMessages {
  const messages = list as readonly ChatMessage[];
  for (const [i, message] of messages.entries()) {
    const problem = problemOf(message, `message ${i}`);
    if (problem !== undefined) return problem;
  }
  if (part === "prompt") {
    if (messages.some((message) => !isEmpty(message))) return { messages };
    return { code: "ATTUNE_DATA", expected: "a message with text", found: "only empty messages" };
  }
  if (part === "answer") {
    for (const at of [0, messages.length - 1]) {
      const role = messages[at]?.role;
      if (role === "assistant") continue;
      const expected = `an answer from an assistant's message to an assistant's`;
      return { code: "ATTUNE_DATA", expected, found: `message ${at} with the role "${role}"` };
    }
  }
  const answers = messages.filter(({ role }) => role === "assistant");
  const last = answers.at(-1);
  if (last === undefined)
    return { code: "ATTUNE_DATA", expected: "a message of the assistant", found: "none" };
  if (!isEmpty(last)) return { messages };
  return {
    code: "ATTUNE_DATA",
    expected: "text in the assistant's last message",
    found: 'an empty one ("")',
  };
}

function problemOf({ role, content, ...others }: ChatMessage, where: string) {
  const code = "ATTUNE_DATA_COLUMN" as const;
  if (typeof role !== "string" || role === "")
    return { code, expected: `a "role" in ${where}`, found: JSON.stringify(role)?.slice(0, 30) ?? "none" };
  if (typeof content === "string") {
    if (!hasLoneSurrogate(content)) return undefined;
    const found = "half of a surrogate pair (\\ud800 to \\udfff alone)";
    return { code: "ATTUNE_DATA" as const, expected: `whole characters in ${where}`, found };
  }
  if (Array.isArray(content)) {
    const other = content.find((item: unknown) => (item as ChatMessage | null)?.type !== "text") as
      | ChatMessage
      | undefined;
    if (other === undefined) return undefined;
    const found = `a part of type ${JSON.stringify(other?.type)}, which this version does not read`;
    return { code, expected: `text in ${where}`, found };
  }
  const calls = others.tool_calls ?? others.function_call ?? others.reasoning_content;
  if ((content === undefined || content === null) && calls !== undefined && calls !== null) return undefined;
  return {
    code,
    expected: `text as "content" of ${where}`,
    found: JSON.stringify(content)?.slice(0, 30) ?? "none",
  };
}

/** UTF-8 has no half characters: their ids could not be decoded to this text again. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Cs}/u.test(text);
}

/** Nothing said and nothing called. */
function isEmpty({ content, tool_calls: calls }: ChatMessage): boolean {
  if (Array.isArray(calls) && calls.length > 0) return false;
  if (typeof content === "string") return content === "";
  return !Array.isArray(content) || content.length === 0;
}

export interface SplitConversations {
  readonly prompt: readonly ChatMessage[];
  readonly chosen: readonly ChatMessage[];
  readonly rejected: readonly ChatMessage[];
}

/** Splits two whole conversations behind the messages that both begin with. */
export function splitConversations(
  chosen: readonly ChatMessage[],
  rejected: readonly ChatMessage[],
): SplitConversations {
  let shared = 0;
  while (shared < chosen.length && JSON.stringify(chosen[shared]) === JSON.stringify(rejected[shared])) {
    shared += 1;
  }
  return { prompt: chosen.slice(0, shared), chosen: chosen.slice(shared), rejected: rejected.slice(shared) };
}
