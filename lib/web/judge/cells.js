// Things to fill in one after the other: which is next, and a mark on it. Must not know what they hold.

import { toggle } from "./element.js";

/** `elements` in order; `filled(i)` says whether one has its value. */
export function cellOrder({ elements, filled }) {
  let current = 0;
  const show = () => {
    for (const [i, element] of elements.entries())
      toggle(element, "data-current", i === current && elements.length > 1);
  };
  show();
  return {
    get current() {
      return current;
    },
    go(to) {
      current = Math.max(0, Math.min(elements.length - 1, to));
      show();
      elements[current].scrollIntoView({ block: "nearest" });
    },
    /** To the next that is empty; it stays where none is. */
    advance() {
      const order = elements.map((_, i) => (current + 1 + i) % elements.length);
      const next = order.find((i) => !filled(i));
      if (next !== undefined && filled(current)) this.go(next);
    },
  };
}
