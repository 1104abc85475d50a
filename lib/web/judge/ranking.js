// The order of answers, ties allowed: by keys, by buttons, by dragging cards. Must not know other questions.

import { announce } from "./announce.js";
import { draggable } from "./drag.js";
import { make, toggle } from "./element.js";
import { moveDown, moveUp, placeAbove, placeLast, placeWith, tierOf, without } from "./tiers.js";
import { answerName, capital } from "./words.js";

/** `top`: only so many must have a place. `previews`: the beginnings of the answers. */
export function rankingQuestion({ top, previews, changed }) {
  const count = previews.length;
  const needed = Math.min(top ?? count, count);
  let tiers = [];
  let held;
  const cards = previews.map((preview, answer) => rankingCard({ preview, answer, count, act, drop }));
  const { element, placed, tray } = rankingBoard({ top, needed });
  show();

  function act(answer, what) {
    if (what === "take") take(answer);
    else if (what === "up") change(moveUp(tiers, answer), answer);
    else if (what === "down") change(moveDown(tiers, answer), answer);
    else change(without(tiers, answer), answer);
  }
  function take(answer) {
    if (tierOf(tiers, answer) === undefined) change(placeLast(tiers, answer), answer);
    else {
      held = answer;
      show();
      announce(`${placeInWords(tiers, answer, count)}. Move it with the arrow keys.`);
    }
  }
  function drop(answer, target) {
    if (target.tray) change(without(tiers, answer), answer);
    else if (target.with !== undefined) change(placeWith(tiers, answer, target.with), answer);
    else change(placeAbove(tiers, answer, target.above), answer);
  }
  function change(to, answer) {
    tiers = to;
    held = tierOf(to, answer) === undefined ? undefined : answer;
    show();
    announce(placeInWords(tiers, answer, count));
    changed();
  }
  function show() {
    const focused = document.activeElement;
    placed.replaceChildren(...tiers.map((tier, i) => tierNode(tier, i, cards)));
    const left = cards.filter((_, answer) => tierOf(tiers, answer) === undefined);
    tray.replaceChildren(...left.map((card) => card.element));
    toggle(tray, "data-empty", left.length === 0);
    for (const [answer, card] of cards.entries()) {
      toggle(card.element, "data-placed", tierOf(tiers, answer) !== undefined);
      toggle(card.element, "data-held", held === answer);
    }
    // Cards that move lose the focus.
    if (focused !== document.activeElement && element.contains(focused)) focused.focus();
  }
  return {
    kind: "ranking",
    takesDigits: true,
    side: element,
    keys: [
      ["1 – 9", "place that answer next; once more: take it up again"],
      ["↑ ↓", "move the answer last taken: into a tie, out of it, past it"],
      ["Backspace", "take its place away"],
    ],
    missing() {
      const left = needed - tiers.flat().length;
      if (left <= 0) return undefined;
      return left === count ? "put the answers in order" : `place ${left} more`;
    },
    values: () => (tiers.length === 0 ? [] : [{ kind: "ranking", tiers }]),
    restore(values) {
      tiers = values.find(({ kind }) => kind === "ranking")?.tiers ?? [];
      show();
    },
    press({ key, shift }) {
      if (shift) return false;
      if (/^[1-9]$/.test(key) && Number(key) <= count) take(Number(key) - 1);
      else if (held === undefined) return false;
      else if (key === "ArrowUp") act(held, "up");
      else if (key === "ArrowDown") act(held, "down");
      else if (key === "Backspace" || key === "Delete") act(held, "away");
      else return false;
      return true;
    },
  };
}

function placeInWords(tiers, answer, count) {
  const name = capital(answerName(answer, count));
  const tier = tierOf(tiers, answer);
  if (tier === undefined) return `${name} has no place`;
  const equals = tiers[tier].filter((one) => one !== answer).map((one) => answerName(one, count));
  return `${name}: place ${tier + 1}${equals.length > 0 ? `, tied with ${equals.join(", ")}` : ""}`;
}

function tierNode(tier, i, cards) {
  const tied = tier.length > 1;
  return make(
    "li",
    { class: "tier", "aria-label": `Place ${i + 1}${tied ? ", tied" : ""}` },
    make("span", { class: "place", text: `${i + 1}${tied ? " =" : ""}`, "aria-hidden": "true" }),
    make("div", { class: "tier-cards" }, ...tier.map((answer) => cards[answer].element)),
  );
}

function rankingBoard({ top, needed }) {
  const placed = make("ol", { class: "tiers", "aria-label": "Places, the best first" });
  const tray = make("div", { class: "tray", role: "group", "aria-label": "Without a place" });
  const element = make(
    "section",
    { class: "ranking", "aria-label": "Ranking" },
    make("h2", { text: top === undefined ? "Put them in order" : `Place the best ${needed}` }),
    make("p", {
      class: "hint",
      text: "Drag the cards, or press the answers' numbers, the best first. ↑ and ↓ move the last one: half a step makes a tie.",
    }),
    placed,
    tray,
  );
  return { element, placed, tray };
}

function rankingCard({ preview, answer, count, act, drop }) {
  const name = answerName(answer, count);
  const tool = (what, label, spoken) =>
    make("button", {
      type: "button",
      class: "tool",
      "aria-label": `${spoken} ${name}`,
      text: label,
      on: { click: () => act(answer, what) },
    });
  const handle = make("span", { class: "handle", "aria-hidden": "true", text: "⠿" });
  const element = make(
    "div",
    { class: "card", "data-card": answer },
    handle,
    make(
      "button",
      { type: "button", class: "take", on: { click: () => act(answer, "take") } },
      answer < 9 ? make("kbd", { text: String(answer + 1), "aria-hidden": "true" }) : undefined,
      make("span", { class: "card-name", text: capital(name) }),
      make("span", { class: "preview", dir: "auto", text: preview, "aria-hidden": "true" }),
    ),
    make(
      "span",
      { class: "tools" },
      tool("up", "↑", "Move up:"),
      tool("down", "↓", "Move down:"),
      tool("away", "✕", "No place for"),
    ),
  );
  draggable({ element, handle, drop: (target) => drop(answer, target) });
  return { element };
}
