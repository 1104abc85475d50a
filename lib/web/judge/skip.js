// Asks why an item is passed over. Must not send it.

import { openDialog } from "./dialog.js";
import { make } from "./element.js";

const reasons = [
  ["unclear_prompt", "The prompt is unclear"],
  ["both_broken", "The answers are broken"],
  ["unsafe", "It should not be shown to people"],
  ["not_my_field", "Not my field"],
  ["duplicate", "I have seen it before"],
  ["other", "Another reason"],
];

/** `skip(reason, note)`. A digit chooses a reason at once, unless somebody is writing the note. */
export function askWhySkipped(skip) {
  const note = make("textarea", { rows: "2", dir: "auto" });
  const choose = (reason) => {
    close();
    skip(reason, note.value.trim() === "" ? undefined : note.value.trim());
  };
  const list = make(
    "div",
    {
      class: "reasons",
      on: {
        keydown: ({ key, repeat }) => {
          const reason = reasons[Number(key) - 1];
          if (reason !== undefined && !repeat) choose(reason[0]);
        },
      },
    },
    ...reasons.map(([reason, label], i) =>
      make(
        "button",
        { type: "button", autofocus: i === 0, on: { click: () => choose(reason) } },
        make("kbd", { text: String(i + 1), "aria-hidden": "true" }),
        make("span", { text: label }),
      ),
    ),
  );
  const close = openDialog({
    title: "Why do you skip it?",
    body: [
      make("p", { class: "hint", text: "It is asked of others, later. A digit is enough." }),
      list,
      make("label", { class: "note" }, "Anything to add (before you choose)", note),
    ],
    actions: [{ label: "Do not skip" }],
  });
}
