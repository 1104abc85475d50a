// Sends a judgement so that it is stored once: with a key that stays the same over retries, remembered by the browser until the
// service has answered, also over a reload. Must not know what is judged.

import { call } from "../api.js";
import { recall, remember } from "./browser-memory.js";
import { patiently } from "./patience.js";

const KEPT = "Your judgement is kept.";

/** `who`: whose it is, in which project. */
export function sender({ who, signInAgain }) {
  const place = `sending:${who}`;
  async function deliver({ path, key, body }) {
    try {
      return await patiently(
        (signal) => call("POST", path, { body, headers: { "idempotency-key": key }, signal }),
        { kept: KEPT, signInAgain },
      );
    } finally {
      // Refused for good is answered too: the page still shows what was filled in.
      remember(place, undefined);
    }
  }
  return {
    send(path, body) {
      const letter = { path, key: newKey(), body };
      remember(place, letter);
      return deliver(letter);
    },
    /** What an earlier page had on its way; undefined where there is nothing. */
    left() {
      const letter = recall(place);
      return letter === undefined ? undefined : () => deliver(letter);
    },
  };
}

/** Also where the page came over plain HTTP, without crypto.randomUUID. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
