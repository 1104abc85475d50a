// A place that is drawn anew only when what it shows has changed: nothing flickers, nothing loses the focus.
// Must not know what it shows.

import { element, swap } from "./dom.js";

/** `needs`: facts without which nothing can be drawn; `uses`: those that are drawn where they are there. */
export function drawn({ draw, needs, uses = [] }) {
  const place = element("div", {}, element("p", { class: "none" }, "…"));
  let before;
  return {
    place,
    update(facts) {
      if (needs.some((name) => facts[name] === undefined)) return;
      const shown = JSON.stringify([...needs, ...uses].map((name) => facts[name] ?? null));
      if (shown === before) return;
      before = shown;
      swap(place, draw(facts));
    },
  };
}
