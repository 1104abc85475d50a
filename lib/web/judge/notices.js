// Lines over the page that say what happened and what one may do about it. Must not know what happened.

import { button, make } from "./element.js";

const region = make("div", { class: "notices", role: "status", "aria-live": "polite" });
const FLEETING_MS = 6000;

export function noticeRegion() {
  return region;
}

/** `tone`: "good", "warn" or "bad"; `actions` as buttons; `fleeting`: it goes by itself. Returns `{ say(text), close() }`. */
export function notice({ text, tone = "warn", actions = [], fleeting = false }) {
  const words = make("span", { text });
  const close = () => line.remove();
  const buttons = actions.map(({ label, key, run }) => button({ label, key, run: () => run(close) }));
  const dismiss = make("button", {
    type: "button",
    class: "tool",
    "aria-label": "Close this message",
    text: "✕",
    on: { click: close },
  });
  const line = make("div", { class: "notice", "data-tone": tone }, words, ...buttons, dismiss);
  // One line of what passes by is enough.
  if (fleeting) for (const old of region.querySelectorAll("[data-fleeting]")) old.remove();
  if (fleeting) line.setAttribute("data-fleeting", "");
  region.append(line);
  if (fleeting) setTimeout(close, FLEETING_MS);
  return {
    say(said) {
      words.textContent = said;
    },
    close,
  };
}
