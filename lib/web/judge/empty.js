// Stands where nothing is open, and looks again by itself. Must not know items.

import { button, make } from "./element.js";

const AGAIN_MS = 15_000;

/** Resolves when it is time to look again. */
export function emptyQueue({ frame, shift }) {
  return new Promise((resolve) => {
    const heading = make("h1", { tabindex: "-1", text: "Nothing to judge right now" });
    const look = () => {
      clearTimeout(timer);
      shift.page = undefined;
      resolve();
    };
    const timer = setTimeout(look, AGAIN_MS);
    shift.page = { questions: [], actions: {}, interrupt: look };
    if (shift.emptyShown) return;
    shift.emptyShown = true;
    shift.lookNow = () => shift.page?.interrupt?.();
    const element = make(
      "section",
      { class: "alone" },
      heading,
      make("p", {
        text: "You have seen all that is open to you. This page looks again every 15 seconds and goes on by itself.",
      }),
      button({ label: "Look now", run: () => shift.lookNow() }),
    );
    frame.show(element);
    heading.focus();
  });
}
