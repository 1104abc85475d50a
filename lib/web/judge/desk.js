// One item on the page: its prompt, its answers side by side in equal boxes, its questions, and the buttons that send it off.
// Must not know the service.

import { contentView } from "./content-view.js";
import { button, make, toggle } from "./element.js";
import { picturesOf } from "./pictures.js";
import { questionsOf } from "./questions.js";
import { answerName, capital, listed } from "./words.js";

/**
 * `item` as the service gives it, its answers' address `at` for those that are pictures, `values` to begin with. `changed` is told of every change, `submit` and `skip` of the buttons;
 * without `skip` there is no such button. `label` stands on the button that sends.
 */
export function desk({ item, at, values = [], label = "Submit and next", changed, submit, skip, leave }) {
  const { answers } = item;
  const pictures = picturesOf({ answers, at, noticed: () => showMissing() });
  const questions = [...(pictures === undefined ? [] : [pictures]), ...questionsOf(item, noticed)];
  const heading = make("h1", { id: "prompt-title", tabindex: "-1", text: "Prompt" });
  const boxes = answers.map((answer, i) => answerBox({ answer, place: i, count: answers.length, questions }));
  const send = sendRow({ label, submit, skip, leave });
  const main = make(
    "div",
    {
      class: "desk",
      "data-answers": Math.min(answers.length, 3),
      "data-side": questions.some(({ side }) => side !== undefined),
    },
    make(
      "section",
      { class: "prompt", "aria-labelledby": "prompt-title" },
      heading,
      contentView(item.prompt),
    ),
    make("div", { class: "answers" }, ...boxes),
    ...questions.map(({ side }) => side),
    make(
      "div",
      { class: "wholes" },
      ...questions.map(({ whole }) => whole).filter((one) => one !== undefined),
    ),
  );
  const bar = make(
    "div",
    { class: "bar" },
    ...questions.flatMap((question) => question.bar ?? []),
    send.element,
  );
  for (const question of questions) question.restore(values);
  showMissing();
  showFavoured();

  function missing() {
    return questions.map((question) => question.missing()).filter((one) => one !== undefined);
  }
  function given() {
    return questions.flatMap((question) => question.values());
  }
  /** What nobody asks for may stay empty, but something must be said. */
  function missingInWords() {
    const parts = missing();
    if (parts.length === 0 && given().length === 0)
      parts.push(
        questions.some(({ kind }) => kind === "edit")
          ? "correct an answer or comment"
          : "say something of it",
      );
    return parts.length === 0 ? undefined : listed(parts);
  }
  function showMissing() {
    send.missing(missingInWords());
  }
  function noticed() {
    showMissing();
    showFavoured();
    changed?.();
  }
  /** What is chosen is seen where one reads, too. */
  function showFavoured() {
    const favoured = questions.map((question) => question.favoured?.()).find((one) => one !== undefined);
    for (const [i, box] of boxes.entries()) toggle(box, "data-favoured", i === favoured);
  }
  return {
    main,
    bar,
    heading,
    questions,
    values: given,
    missing: missingInWords,
    /** While it is being sent nothing can be changed. */
    busy(busy) {
      toggle(main, "inert", busy);
      toggle(bar, "data-busy", busy);
      send.busy(busy);
    },
    close() {
      for (const question of questions) question.close?.();
    },
  };
}

function answerBox({ answer, place, count, questions }) {
  const name = capital(answerName(place, count));
  const view = questions.map((question) => question.answerView?.(place)).find((one) => one !== undefined);
  const under = questions.map((question) => question.under?.(place)).filter((one) => one !== undefined);
  return make(
    "article",
    { class: "answer", "aria-label": name, tabindex: "0", "data-place": place },
    make("h2", { text: name }),
    make("div", { class: "answer-text" }, contentView(answer, view)),
    make("div", { class: "under" }, ...under),
  );
}

function sendRow({ label, submit, skip, leave }) {
  const still = make("span", { class: "still", id: "still-missing" });
  const send = make(
    "button",
    { type: "button", class: "primary send", "aria-describedby": "still-missing", on: { click: submit } },
    make("span", { text: label }),
    make("kbd", { text: "Enter", "aria-hidden": "true" }),
  );
  const element = make(
    "div",
    { class: "send-row" },
    skip === undefined ? undefined : button({ label: "Skip", key: "s", run: skip, class: "skip" }),
    leave === undefined
      ? undefined
      : button({ label: "Leave it as it was", key: "Esc", run: leave, class: "skip" }),
    still,
    send,
  );
  return {
    element,
    missing(text) {
      still.textContent = text === undefined ? "" : `Still to do: ${text}.`;
      send.setAttribute("aria-disabled", String(text !== undefined));
    },
    busy(busy) {
      send.disabled = busy;
      send.firstChild.textContent = busy ? "Sending…" : label;
    },
  };
}
