// Says things to screen readers without moving the focus. Must not know what.

import { make } from "./element.js";

const region = make("div", { class: "spoken", "aria-live": "polite", "aria-atomic": "true" });

export function announcer() {
  return region;
}

/** What is said again is said again: the same text twice would be silent. */
export function announce(text) {
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}
