// The keys of the page and what they do, those of the item at hand first. Must not know questions.

import { openDialog } from "./dialog.js";
import { make } from "./element.js";

const always = [
  ["Enter", "submit, next item"],
  ["s", "skip, with a reason"],
  ["u", "undo: take your last judgement back, or revise it"],
  ["g", "guidelines"],
  ["?", "this help"],
  ["Esc", "leave a text field"],
  ["Tab", "go from answer to answer, from button to button"],
];

/** `keys` of the questions that are asked. */
export function openHelp(keys) {
  openDialog({
    title: "Keys",
    wide: true,
    body: [
      keys.length === 0 ? undefined : make("h3", { text: "For this item" }),
      keys.length === 0 ? undefined : keyTable(keys),
      make("h3", { text: "Always" }),
      keyTable(always),
      make("p", { class: "hint", text: "Keys are off while you type and while a key is held down." }),
    ].filter((one) => one !== undefined),
    actions: [{ label: "Close", primary: true }],
  });
}

function keyTable(keys) {
  return make(
    "table",
    { class: "keys" },
    ...keys.map(([key, does]) =>
      make("tr", {}, make("th", { scope: "row" }, make("kbd", { text: key })), make("td", { text: does })),
    ),
  );
}
