// Shows a prompt or an answer: text, or a conversation message by message. Must not know questions.

import { make } from "./element.js";
import { textNodes } from "./invisible.js";
import { markdownView } from "./markdown.js";
import { capital } from "./words.js";

/** A conversation's last message, or the text: what is edited and marked. */
export function lastText(content) {
  return typeof content === "string" ? content : (content.at(-1)?.content ?? "");
}

/** `last`: shown in place of the last message, or of the text. */
export function contentView(content, last) {
  if (typeof content === "string") return last ?? markdownView(content);
  return make(
    "ol",
    { class: "conversation" },
    ...content.map(({ role, content: text }, i) =>
      make(
        "li",
        { class: "message", "data-role": role },
        make("span", { class: "role" }, ...textNodes(capital(role))),
        i === content.length - 1 && last !== undefined ? last : markdownView(text),
      ),
    ),
  );
}
