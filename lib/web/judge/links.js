// Links that a model wrote: they say where they lead, and lead there when somebody agrees. Must not know markdown.

import { openDialog } from "./dialog.js";
import { make } from "./element.js";

/** As a browser would read it; undefined for anything that is not the web's. */
export function safeAddress(href) {
  try {
    const url = new URL(href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

export function askToFollow(address) {
  const { host } = new URL(address);
  openDialog({
    title: "Leave for another site?",
    body: [
      make("p", { text: `This link stands in a text that nobody has checked. It leads to ${host}:` }),
      make("p", { class: "address", text: address }),
    ],
    actions: [
      { label: "Stay here", primary: true },
      { label: "Open in a new window", run: () => window.open(address, "_blank", "noopener,noreferrer") },
    ],
  });
}
