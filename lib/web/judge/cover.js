// Stands before an item that is marked unsafe: its texts are not on the page until somebody opens it. Must not know them.

import { button, make } from "./element.js";

export function cover({ open, skip }) {
  const heading = make("h1", { tabindex: "-1", text: "This one may be disturbing" });
  const show = button({ label: "Show it", key: "Enter", run: open, class: "primary" });
  const element = make(
    "section",
    { class: "alone", "aria-label": "Content warning" },
    heading,
    make("p", {
      text: "Its prompt or its answers were marked as unsafe. You may look at it, or skip it.",
    }),
    make("div", { class: "row" }, show, button({ label: "Skip", key: "s", run: skip })),
  );
  return { element, heading };
}
