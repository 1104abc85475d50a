// Shows a prompt or an answer: text, or a conversation message by message; of images and clips what is handed in. Must not know
// questions.

import { make } from "./element.js";
import { textNodes } from "./invisible.js";
import { markdownView } from "./markdown.js";
import { isPicture } from "./pictures.js";
import { capital } from "./words.js";

/** A conversation's last message, or the text: what is edited and marked; of images and clips what they are. */
export function lastText(content) {
  if (isPicture(content)) return content.alt ?? capital(content.type);
  return typeof content === "string" ? content : (content.at(-1)?.content ?? "");
}

/** `last`: shown in place of the last message, or of the text. */
export function contentView(content, last) {
  if (isPicture(content)) return last ?? make("p", { text: lastText(content) });
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
