// What keys do: those of the page, then those of the questions on it. They are off while somebody types, with modifiers, while
// a key is held down, and while a dialog is open. Must not know what a question does.

import { isDialogOpen } from "./dialog.js";

const TYPING =
  "textarea, select, input:not([type=checkbox]):not([type=radio]), [contenteditable=true]:not(.markable)";
const MOVES = /^(Arrow|Home|End|Page)/;

/** `page()` gives `{ questions, actions }`: actions by key, and what is asked now. `used` is told that keys were used. */
export function listenToKeys({ page, used }) {
  let tabbed = false;
  document.addEventListener("pointerdown", () => {
    tabbed = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") tabbed = true;
    if (event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey || isDialogOpen())
      return;
    const { target } = event;
    if (target instanceof Element && target.matches(TYPING)) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (isOwn(event, target) || !press({ event, target, tabbed, ...page() })) return;
    event.preventDefault();
    used();
  });
}

/** What the focused thing does with the key itself. */
function isOwn({ key }, target) {
  if (!(target instanceof Element)) return false;
  if (key === "Escape" && target.matches(".markable")) {
    target.blur();
    return true;
  }
  if (target.matches(".markable")) return MOVES.test(key);
  if (key === " ") return target.matches("button, a, summary, input");
  // Enter chooses nothing in a radio group: there it sends the item off.
  return key === "Enter" && target.matches("button:not([role=radio]), a, summary, [type=checkbox]");
}

function press({ event, target, tabbed, questions, actions }) {
  const key = keyOf(event);
  // These need Shift on many keyboards.
  const shift = event.shiftKey && !/^[\d+?,.]$/.test(key);
  const action = shift ? undefined : actions[key];
  if (action !== undefined) {
    action();
    return true;
  }
  const element = target instanceof Element ? target : undefined;
  const place = element?.closest("[data-place]")?.getAttribute("data-place");
  const told = {
    key,
    shift,
    answer: place === undefined || place === null ? undefined : Number(place),
    // Whoever went there by Tab means what is there; whoever clicked may have gone on since.
    inside: tabbed && element !== undefined ? (one) => one.contains(element) : undefined,
    focused: tabbed ? element : undefined,
  };
  return inOrder(questions, told).some((question) => question.press(told));
}

/** Letters with Caps Lock too, and by their place where a keyboard has no Latin ones. */
function keyOf({ key, code, shiftKey }) {
  const latin = /^Key([A-Z])$/.exec(code)?.[1];
  if (key.length > 1 || shiftKey) return key;
  return (latin !== undefined && /\P{ASCII}/u.test(key) ? latin : key).toLowerCase();
}

/** Digits go to a chosen stretch, to the focused question, to the first that still misses something, then to the last. */
function inOrder(questions, { key, focused: element }) {
  const focused = questions.filter(({ kind }) => kind in groups && element?.closest(groups[kind]));
  if (!/^\d$/.test(key)) return [...focused, ...questions];
  const takers = questions.filter(({ takesDigits }) => takesDigits);
  const wanting = takers.filter((question) => question.wantsDigits?.());
  const incomplete = takers.filter((question) => question.missing() !== undefined);
  return [...wanting, ...focused, ...incomplete, ...takers.toReversed()];
}

/** Where a question's own keys stand before the others'. */
const groups = { rating: ".ratings", thumb: ".thumbs", ranking: ".ranking, .best" };
