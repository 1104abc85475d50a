// Prompts and answers of the feedback store as a model reads them: messages where it has a chat template, plain text where
// it has none. Must not load models.

import type { Prompt, ScoreRow } from "../engine/index.js";
import type { FeedbackContent, LoopRow, TextAnswer } from "../feedback/index.js";
import type { Tokenizer } from "../text/index.js";

type Chat = readonly { readonly role: string; readonly content: string }[];

/** What is generated from. */
export function promptOf(prompt: FeedbackContent, { chat }: Tokenizer): Prompt {
  if (typeof prompt !== "string") return prompt;
  return chat === undefined ? prompt : [{ role: "user", content: prompt }];
}

/** What is scored. */
export function scoreRowOf(
  prompt: FeedbackContent,
  { content }: Pick<TextAnswer, "content">,
  tokenizer: Tokenizer,
): ScoreRow {
  const asked = promptOf(prompt, tokenizer);
  const chats = typeof asked !== "string" && typeof content === "string";
  return { prompt: asked, completion: chats ? [{ role: "assistant", content }] : content };
}

/** What is trained on: rows are conversations; of a model without a template, the texts in them. */
export function trainingRow(row: LoopRow, { chat }: Tokenizer): Readonly<Record<string, unknown>> {
  if (chat !== undefined) return row;
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      textColumns.has(column) ? textOfOne(value) : value,
    ]),
  );
}

const textColumns: ReadonlySet<string> = new Set(["prompt", "chosen", "rejected", "completion"]);

/** The text of one message; a longer conversation stays, and the trainer says that it needs a template. */
function textOfOne(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const [only, ...more] = value as Chat;
  return only === undefined || more.length > 0 ? value : only.content;
}
