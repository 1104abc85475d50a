// Stretches of an answer with a tag: choose them, then the tag. Must not know other questions.

import { announce } from "./announce.js";
import { codePointSpan, unitsBefore } from "./code-points.js";
import { button, make } from "./element.js";
import { textNodes } from "./invisible.js";
import { markableText } from "./markable.js";
import { answerName, capital } from "./words.js";

const LONGEST_QUOTE = 80;
/** Of CSS's custom highlights: one for all marks, which are listed in words too. */
const HIGHLIGHT = "attune-mark";

/** `texts` of the answers, as they came. `needed`: nothing else is asked. */
export function spanQuestion({ tags, texts, needed, changed }) {
  const count = texts.length;
  let marks = [];
  let chosen;
  const fields = texts.map((text, answer) =>
    markableText({ text, label: `${capital(answerName(answer, count))}: choose a stretch, then a tag` }),
  );
  const lists = texts.map((_, answer) =>
    make("ul", { class: "marks", "aria-label": `Marks in ${answerName(answer, count)}` }),
  );
  document.addEventListener("selectionchange", remember);

  /** A tag's button takes the focus, and with it what was chosen. */
  function remember() {
    const answer = fields.findIndex((field) => field.range() !== undefined);
    if (answer >= 0) chosen = { answer, ...fields[answer].range() };
    else if (fields.some(({ element }) => element.contains(getSelection()?.anchorNode ?? null)))
      chosen = undefined;
  }
  function add(tag) {
    remember();
    const span = chosen && codePointSpan(texts[chosen.answer], chosen.start, chosen.end);
    if (span === undefined) {
      announce("Choose a stretch of an answer first.");
      return;
    }
    const mark = { kind: "span", answer: chosen.answer, ...span, tag };
    if (!marks.some((one) => JSON.stringify(one) === JSON.stringify(mark))) marks.push(mark);
    announce(`Marked as ${tag}: ${quote(mark)}`);
    chosen = undefined;
    getSelection()?.collapseToEnd();
    show();
    changed();
  }
  const units = ({ answer, start, end }) => ({
    start: unitsBefore(texts[answer], start),
    end: unitsBefore(texts[answer], end),
  });
  const quote = (mark) => shortened(texts[mark.answer].slice(units(mark).start, units(mark).end));
  function remove(mark) {
    marks = marks.filter((one) => one !== mark);
    show();
    announce("The mark is gone.");
    fields[mark.answer].element.focus();
    changed();
  }
  function show() {
    for (const [answer, list] of lists.entries())
      list.replaceChildren(
        ...marks
          .filter((mark) => mark.answer === answer)
          .map((mark) => markNode({ tag: mark.tag, quoted: quote(mark), remove: () => remove(mark) })),
      );
    if (globalThis.CSS?.highlights === undefined) return;
    CSS.highlights.set(
      HIGHLIGHT,
      new Highlight(...marks.map((mark) => fields[mark.answer].rangeOf(units(mark)))),
    );
  }
  return {
    kind: "span",
    takesDigits: true,
    /** In place of what is rendered. */
    answerView: (answer) => fields[answer].element,
    under: (answer) => make("div", { class: "spans" }, tagRow(tags, add), lists[answer]),
    keys: [
      ["Shift + arrows", "choose a stretch, in an answer's text"],
      ["1 – 9", "mark it with that tag"],
    ],
    missing: () => (needed && marks.length === 0 ? "mark a stretch" : undefined),
    values: () => marks,
    restore(values) {
      marks = values.filter(({ kind }) => kind === "span");
      show();
    },
    /** Digits are its own while a stretch is chosen or its text has the focus. */
    wantsDigits: () =>
      chosen !== undefined || fields.some(({ element }) => element.contains(document.activeElement)),
    press({ key, shift }) {
      const tag = shift || !/^[1-9]$/.test(key) ? undefined : tags[Number(key) - 1];
      if (tag === undefined) return false;
      add(tag);
      return true;
    },
    close() {
      document.removeEventListener("selectionchange", remember);
      globalThis.CSS?.highlights?.delete(HIGHLIGHT);
    },
  };
}

function shortened(text) {
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
}

function tagRow(tags, add) {
  return make(
    "div",
    { class: "row", role: "group", "aria-label": "Mark what is chosen as" },
    make("span", { class: "hint", text: "Mark what is chosen as" }),
    ...tags.map((tag, i) =>
      button({ label: tag, key: i < 9 ? String(i + 1) : undefined, run: () => add(tag) }),
    ),
  );
}

function markNode({ tag, quoted, remove }) {
  return make(
    "li",
    {},
    make("strong", { text: tag }),
    make("q", { dir: "auto" }, ...textNodes(quoted)),
    button({ label: "Remove", run: remove }),
  );
}
