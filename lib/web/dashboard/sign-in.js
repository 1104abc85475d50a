// Asks for a token where nobody has signed in, and says who may see this page where somebody may not. Must not show more.

import { call } from "../api.js";
import { element, field, statusLine } from "./dom.js";

/** Resolves to who one is then. */
export function signIn(why) {
  return new Promise((resolve) => {
    const control = element("input", { type: "password", autocomplete: "off", required: true });
    const said = statusLine();
    const submit = async (event) => {
      event.preventDefault();
      const token = new URLSearchParams(control.value.split("#").at(-1)).get("token") ?? control.value.trim();
      try {
        resolve(await call("POST", "/v1/session", { body: { token } }));
      } catch (error) {
        said.say(error.message, true);
        control.focus();
      }
    };
    document.body.replaceChildren(
      element(
        "main",
        { class: "alone" },
        element("h1", {}, "Sign in"),
        why && element("p", { class: "notice warn" }, why),
        element("p", {}, "Open the link that you were sent, or paste it here."),
        element(
          "form",
          { novalidate: true, on: { submit } },
          field({ label: "Link or token", control }),
          element("button", { type: "submit", class: "primary" }, "Sign in"),
          said.line,
        ),
      ),
    );
    control.focus();
  });
}

/** A token that stands for somebody who has no business here. */
export function refused(role) {
  const other = () => signOut();
  document.body.replaceChildren(
    element(
      "main",
      { class: "alone" },
      element("h1", {}, "Not open to you"),
      element(
        "p",
        {},
        `This page is for owners and readers of a project, and your token is of role ${role} (403).`,
      ),
      role === "annotator" && element("p", {}, element("a", { href: "/" }, "Go to the page where you judge")),
      element(
        "p",
        {},
        element("button", { type: "button", on: { click: other } }, "Sign in as somebody else"),
      ),
    ),
  );
}

export async function signOut() {
  await call("DELETE", "/v1/session").catch(() => undefined);
  location.reload();
}
