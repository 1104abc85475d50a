// A row of which one is chosen: a radio group that shows keys and a mark, not colour alone. Must not know what is chosen.

import { make } from "./element.js";

/**
 * Options are `{ value, label, name?, key? }`; `name` is what screen readers hear instead of the label. `pick` is told the value
 * that somebody chose. Returns the element and `show(value)`.
 */
export function radioRow({ label, options, pick, ...attributes }) {
  const buttons = options.map(({ value, label: text, name, key, ...own }) =>
    make(
      "button",
      {
        type: "button",
        role: "radio",
        "aria-checked": "false",
        "aria-label": name,
        ...own,
        on: { click: () => pick(value) },
      },
      make("span", { class: "label" }, make("span", { class: "mark", "aria-hidden": "true" }), text),
      key === undefined ? undefined : make("kbd", { text: key, "aria-hidden": "true" }),
    ),
  );
  const element = make("div", { role: "radiogroup", "aria-label": label, ...attributes }, ...buttons);
  return {
    element,
    show(value) {
      for (const [i, one] of buttons.entries())
        one.setAttribute("aria-checked", String(options[i].value === value));
    },
  };
}
