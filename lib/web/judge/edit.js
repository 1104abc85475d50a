// Answers corrected by hand, with what differs shown. Must not know other questions.

import { wordDiff } from "./diff.js";
import { button, make, toggle } from "./element.js";
import { textNodes } from "./invisible.js";
import { answerName, capital } from "./words.js";

/** `texts` of the answers, as they came. */
export function editQuestion({ ask, texts, changed }) {
  const editors = texts.map((text, answer) =>
    editor({ text, answer, count: texts.length, required: ask.required, changed }),
  );
  let last = 0;
  const openNext = (focused) => {
    const closed = editors.findIndex(({ isOpen }) => !isOpen());
    last = focused ?? (closed < 0 ? (last + 1) % editors.length : closed);
    editors[last].open();
  };
  return {
    kind: "edit",
    under: (answer) => editors[answer].element,
    keys: [
      ["x", "correct an answer: the focused one, else the next"],
      ["d", "show what differs"],
    ],
    missing: () =>
      ask.required && !editors.some(({ value }) => value() !== undefined) ? "correct an answer" : undefined,
    values: () =>
      editors.flatMap(({ value }, answer) => {
        const text = value();
        return text === undefined ? [] : [{ kind: "edit", answer, text }];
      }),
    restore(values) {
      for (const [answer, one] of editors.entries())
        one.restore(values.find((value) => value.kind === "edit" && value.answer === answer)?.text);
    },
    press({ key, shift, answer }) {
      if (shift) return false;
      if (key === "x") openNext(answer);
      else if (key === "d" && editors.some(({ isOpen }) => isOpen())) editors[answer ?? last].turnDiff();
      else return false;
      return true;
    },
  };
}

function editor({ text, answer, count, required, changed }) {
  const name = answerName(answer, count);
  const field = make("textarea", {
    dir: "auto",
    rows: "6",
    "aria-label": `${capital(name)}, corrected`,
    on: { input: edited },
  });
  const difference = make("div", {
    class: "difference",
    dir: "auto",
    role: "group",
    "aria-label": "What differs",
    hidden: true,
  });
  const keep = make("input", { type: "checkbox", on: { change: edited } });
  const tools = make(
    "div",
    { class: "row" },
    button({ label: "What differs", key: "d", run: turnDiff }),
    required ? make("label", { class: "keep" }, keep, "It is right as it is") : undefined,
    button({ label: "Drop this correction", run: drop }),
  );
  const begin = button({ label: count === 1 ? "Correct it" : `Correct ${name}`, key: "x", run: open });
  const body = make("div", { class: "editor-body", hidden: true }, field, tools, difference);
  const element = make("div", { class: "editor" }, begin, body);
  const isOpen = () => !body.hidden;

  function open() {
    if (!isOpen()) field.value = text;
    body.hidden = false;
    begin.hidden = true;
    field.focus();
  }
  function edited() {
    if (!difference.hidden) showDifference();
    changed();
  }
  function turnDiff() {
    if (!isOpen()) return;
    difference.hidden = !difference.hidden;
    if (!difference.hidden) showDifference();
  }
  function showDifference() {
    const parts = wordDiff(text, field.value);
    const nodes = parts.map(({ kind, text: part }) => differenceNode(kind, part));
    difference.replaceChildren(
      ...(parts.some(({ kind }) => kind !== "same") ? nodes : ["Nothing differs yet."]),
    );
  }
  function drop() {
    body.hidden = true;
    begin.hidden = false;
    keep.checked = false;
    begin.focus();
    changed();
  }
  return {
    element,
    isOpen,
    open,
    turnDiff,
    value() {
      if (!isOpen()) return undefined;
      return field.value.trim() !== "" && (field.value !== text || keep.checked) ? field.value : undefined;
    },
    restore(given) {
      body.hidden = given === undefined;
      begin.hidden = given !== undefined;
      field.value = given ?? "";
      keep.checked = given === text;
      toggle(difference, "hidden", true);
    },
  };
}

/** Struck out and underlined, and said. */
function differenceNode(kind, text) {
  if (kind === "same") return make("span", {}, ...textNodes(text));
  const [tag, word] = kind === "added" ? ["ins", "added"] : ["del", "removed"];
  return make(tag, {}, make("span", { class: "spoken", text: `${word}: ` }), ...textNodes(text));
}
