// The guidelines: on demand, and by themselves at the first visit and when there is a new version. Must not know items.

import { call } from "../api.js";
import { recall, remember } from "./browser-memory.js";
import { isDialogOpen, openDialog } from "./dialog.js";
import { make } from "./element.js";
import { markdownView } from "./markdown.js";
import { notice } from "./notices.js";
import { wordsOf } from "./words.js";

/** `who`: who has read them, in which project. */
export function guidelines({ who }) {
  const place = `guidelines:${who}`;
  async function open({ fresh = false } = {}) {
    if (isDialogOpen()) return;
    try {
      const { version, text } = await call("GET", "/v1/guidelines");
      show({ version, text, fresh });
      remember(place, version);
    } catch (error) {
      notice({ text: `The guidelines could not be opened. ${wordsOf(error)}`, tone: "warn", fleeting: true });
    }
  }
  return {
    open,
    /** Opens them where the item's version is one that nobody has read here. */
    async atVersion(version) {
      if (version > (recall(place) ?? 0)) await open({ fresh: true });
    },
  };
}

function show({ version, text, fresh }) {
  const empty = make("p", { text: "There are no guidelines yet: follow your own judgement." });
  const isNew = fresh && version > 1;
  openDialog({
    title: isNew ? "The guidelines have changed" : "Guidelines",
    wide: true,
    body: [
      make("p", { class: "hint", text: version === 0 ? "" : `Version ${version}` }),
      text.trim() === "" ? empty : markdownView(text),
    ],
    actions: [{ label: fresh ? "I have read them" : "Close", primary: true }],
  });
}
