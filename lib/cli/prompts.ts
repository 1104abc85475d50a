// The prompts of a command line: texts of --prompt or rows of --prompts, as ids where a chat template renders them.
// Must not sample.

import { type Content, readRows } from "../data/index.js";
import { fail } from "../errors/index.js";
import type { GenerateSettings } from "../options/index.js";
import { type ChatMessage, encodeChatPrompt, type TemplateContext, type Tokenizer } from "../text/index.js";

export interface CommandPrompt {
  /** As it was given: goes beside the answer into JSON lines. */
  readonly given: string | readonly ChatMessage[] | readonly number[];
  /** What the model continues: a text as it stands, or ids. */
  readonly start: string | Int32Array;
}

/** Prompts in the order given. @throws ATTUNE_FILE, ATTUNE_DATA…, ATTUNE_TEMPLATE */
export async function promptsOf(settings: GenerateSettings, tokenizer: Tokenizer): Promise<CommandPrompt[]> {
  if (settings.prompts === undefined)
    return (settings.prompt ?? []).map((text) => commandPrompt(text, settings, tokenizer));
  const prompts: CommandPrompt[] = [];
  for await (const row of readRows({ data: settings.prompts, accept: promptTypes })) {
    if (!("prompt" in row)) continue;
    const context = {
      ...(row.tools === undefined ? {} : { tools: row.tools }),
      ...(row.templateVariables === undefined ? {} : { kwargs: row.templateVariables }),
    };
    prompts.push(commandPrompt(row.prompt, settings, tokenizer, context));
  }
  return prompts;
}

/** Answers that a row may hold are left aside. */
const promptTypes = ["prompt", "prompt-completion", "preference"] as const;

function commandPrompt(
  content: Content,
  settings: GenerateSettings,
  tokenizer: Tokenizer,
  context: TemplateContext = {},
): CommandPrompt {
  if (settings.system !== undefined && !isConversation(content, settings)) {
    const text = "Expected no --system for prompts of text or ids, which are continued as they stand.";
    throw fail("ATTUNE_OPTION", `${text} Give --apply-chat-template for texts, or leave --system out.`);
  }
  if (content instanceof Int32Array) return { given: Array.from(content), start: content };
  if (typeof content === "string" && !settings.applyChatTemplate) return { given: content, start: content };
  const messages = withSystem(
    typeof content === "string" ? [{ role: "user", content }] : content,
    settings.system,
  );
  return { given: messages, start: encodeChatPrompt({ tokenizer, messages, context }).ids };
}

function isConversation(content: Content, { applyChatTemplate }: GenerateSettings): boolean {
  return typeof content === "string" ? applyChatTemplate : !(content instanceof Int32Array);
}

/** The system message in front, unless the conversation brings its own. */
export function withSystem(
  messages: readonly ChatMessage[],
  system: string | undefined,
): readonly ChatMessage[] {
  if (system === undefined || messages[0]?.role === "system") return messages;
  return [{ role: "system", content: system }, ...messages];
}
