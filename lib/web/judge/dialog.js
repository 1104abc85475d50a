// A dialog over the page: a title, something in it, what one may do. Esc closes it, and the focus goes back.
// Must not know what it is about.

import { make } from "./element.js";

let dialogs = 0;

/** Whether one is open: the page's keys are off then. */
export function isDialogOpen() {
  return document.querySelector("dialog[open]") !== null;
}

/**
 * Actions are `{ label, primary?, run? }`; each closes the dialog first. `closed` is told when it has gone, however.
 * Returns a function that closes it.
 */
export function openDialog({ title, body, actions, wide = false, closed }) {
  dialogs += 1;
  const name = `dialog-${dialogs}`;
  const before = document.activeElement;
  const close = () => dialog.close();
  const buttons = actions.map(({ label, primary, run, ...attributes }) =>
    make("button", {
      type: "button",
      class: primary ? "primary" : undefined,
      autofocus: primary,
      text: label,
      ...attributes,
      on: {
        click: () => {
          close();
          run?.();
        },
      },
    }),
  );
  const dialog = make(
    "dialog",
    { class: wide ? "wide" : undefined, "aria-labelledby": name },
    make("h2", { id: name, text: title }),
    make("div", { class: "dialog-body" }, ...body),
    make("div", { class: "dialog-actions" }, ...buttons),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
    closed?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return close;
}
