// Asks for a token where there is none, or none that is in use any more. Must not know what it opens.

import { call } from "../api.js";
import { openDialog } from "./dialog.js";
import { make } from "./element.js";
import { wordsOf } from "./words.js";

/** A form for a token; `entered` is told who one is. */
function tokenForm({ why, entered }) {
  const field = make("input", {
    type: "password",
    autocomplete: "off",
    required: true,
    autofocus: true,
    name: "token",
  });
  const problem = make("p", { class: "problem", role: "alert", text: why });
  return make(
    "form",
    {
      class: "sign-in",
      on: {
        async submit(event) {
          event.preventDefault();
          problem.textContent = "";
          try {
            entered(await call("POST", "/v1/session", { body: { token: field.value.trim() } }));
          } catch (error) {
            problem.textContent = error.status === 401 ? error.message : wordsOf(error);
            field.focus();
          }
        },
      },
    },
    make("label", {}, "Your token", field),
    problem,
    make("button", { type: "submit", class: "primary", text: "Sign in" }),
  );
}

/** The whole page asks; who one is then. `why`: what went wrong before. */
export function signIn(why) {
  return new Promise((entered) => {
    const main = make(
      "main",
      { class: "alone" },
      make("h1", { text: "Sign in" }),
      make("p", { text: "Open the link that you were sent, or paste the token that is in it." }),
      tokenForm({ why, entered }),
    );
    document.body.replaceChildren(main);
    main.querySelector("input").focus();
  });
}

let asking;

/** Over the page, which keeps all that is filled in. Whoever asks meanwhile waits for the same answer. */
export function signInAgain() {
  asking ??= new Promise((resolve) => {
    let signedIn = false;
    const open = () => {
      const close = openDialog({
        title: "Sign in again",
        body: [
          make("p", { text: "You are not signed in any more. Nothing is lost: it goes on where you were." }),
          tokenForm({
            entered() {
              signedIn = true;
              close();
            },
          }),
        ],
        actions: [],
        // Esc does not help here: what is on its way needs a token.
        closed: () => (signedIn ? resolve() : open()),
      });
    };
    open();
  }).finally(() => {
    asking = undefined;
  });
  return asking;
}
