// Texts and messages of rows as prompts and answers that a person can be shown. Pure.

import type { RowColumns } from "../../data/index.js";
import type { FeedbackContent, TextAnswer } from "../judgement.js";

/** What the data room reads: text, messages or token ids. */
type Content = ReturnType<RowColumns["content"]>;

/** One message of the user is a text. @throws ATTUNE_DATA_COLUMN for what nobody can read */
export function promptFrom(row: RowColumns, content: Content, column: string): FeedbackContent {
  return plainWith(readable(row, content, column), "user");
}

/** One message of the assistant is a text. @throws ATTUNE_DATA_COLUMN for what nobody can read */
export function answerFrom(
  row: RowColumns,
  content: Content,
  column: string,
  more: Omit<TextAnswer, "content"> = {},
): TextAnswer {
  return { content: plainWith(readable(row, content, column), "assistant"), ...more };
}

function plainWith(content: FeedbackContent, role: string): FeedbackContent {
  if (typeof content === "string" || content.length !== 1) return content;
  const [only] = content;
  return only?.role === role ? only.content : content;
}

function readable(row: RowColumns, content: Content, column: string): FeedbackContent {
  if (typeof content === "string") return content;
  if (content instanceof Int32Array)
    throw row.bad("ATTUNE_DATA_COLUMN", `text or messages in column "${column}"`, "token ids", column);
  return content.map(({ role, content: said }, i) => {
    const text = textOfMessage(said);
    if (text !== undefined) return { role, content: text };
    const found = `message ${i} without text, such as a call of a tool`;
    throw row.bad("ATTUNE_DATA_COLUMN", `text in every message of column "${column}"`, found, column);
  });
}

/** A text, or parts that are texts. */
function textOfMessage(said: unknown): string | undefined {
  if (typeof said === "string") return said;
  if (!Array.isArray(said)) return undefined;
  const texts = said.map((part: unknown) => (part as { text?: unknown } | null)?.text);
  return texts.every((text) => typeof text === "string") ? texts.join("") : undefined;
}
