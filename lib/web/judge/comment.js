// What somebody has to say in their own words, of one answer or of all. Always open, asked for or not.
// Must not know other questions.

import { button, make } from "./element.js";
import { answerName, capital } from "./words.js";

/** `ask` is undefined where nobody asks for it. */
export function commentQuestion({ ask, count, changed }) {
  const all = commentField({ label: count === 1 ? "Comment" : "Comment on all answers", key: "c", changed });
  const each =
    count === 1
      ? []
      : Array.from({ length: count }, (_, answer) =>
          commentField({ label: `Comment on ${answerName(answer, count)}`, changed }),
        );
  if (ask !== undefined) all.open();
  return {
    kind: "comment",
    whole: all.element,
    under: (answer) => each[answer]?.element,
    keys: [["c", "comment: on the focused answer, else on all"]],
    missing: () =>
      ask?.required && ![all, ...each].some(({ value }) => value() !== "") ? "write a comment" : undefined,
    values: () =>
      [[all, undefined], ...each.map((field, answer) => [field, answer])].flatMap(([field, answer]) =>
        field.value() === ""
          ? []
          : [{ kind: "comment", ...(answer === undefined ? {} : { answer }), text: field.value() }],
      ),
    restore(values) {
      const textOf = (answer) => values.find((one) => one.kind === "comment" && one.answer === answer)?.text;
      // Of an answer that is alone, both mean the same.
      all.restore(textOf(undefined) ?? (count === 1 ? textOf(0) : undefined), ask !== undefined);
      for (const [answer, field] of each.entries()) field.restore(textOf(answer), false);
    },
    press({ key, shift, answer }) {
      if (key !== "c" || shift) return false;
      const field = each[answer] ?? all;
      field.open();
      field.focus();
      return true;
    },
  };
}

function commentField({ label, key, changed }) {
  const field = make("textarea", { dir: "auto", rows: "3", on: { input: changed } });
  const body = make(
    "label",
    { class: "comment-body", hidden: true },
    make("span", { text: capital(label) }),
    field,
  );
  const begin = button({
    label,
    key,
    run() {
      open();
      field.focus();
    },
  });
  function open() {
    body.hidden = false;
    begin.hidden = true;
  }
  return {
    element: make("div", { class: "comment" }, begin, body),
    open,
    focus: () => field.focus(),
    value: () => field.value.trim(),
    restore(text, stays) {
      field.value = text ?? "";
      body.hidden = !stays && text === undefined;
      begin.hidden = !body.hidden;
    },
  };
}
