// Makes a call until the service answers it: over a lost connection, a restart, too many calls, an ended session.
// Must not know the call.

import { notice } from "./notices.js";
import { wordsOf } from "./words.js";

const LONGEST_WAIT = 30;
/** A call that hangs for so long is made again. */
const LONGEST_CALL_MS = 30_000;

/**
 * `attempt(signal)` is made again as it is, so a call that writes must carry an Idempotency-Key. `kept` says what is not lost.
 * @throws CallError for what the service refuses for good
 */
export async function patiently(attempt, { kept, signInAgain }) {
  let line;
  try {
    for (let tries = 0; ; tries++) {
      try {
        return await attempt(AbortSignal.timeout(LONGEST_CALL_MS));
      } catch (error) {
        if (error.status === 401) await signInAgain();
        else if (isPassing(error)) {
          line ??= waitingLine();
          await waited({
            line,
            error,
            kept,
            seconds: error.retryAfter ?? Math.min(LONGEST_WAIT, 2 ** tries),
          });
        } else throw error;
      }
    }
  } finally {
    line?.shown.close();
  }
}

export function isPassing({ status }) {
  return status === 0 || status === 429 || status >= 500;
}

function waitingLine() {
  const waiting = { now: () => {} };
  waiting.shown = notice({
    text: "",
    tone: "warn",
    actions: [{ label: "Try now", run: () => waiting.now() }],
  });
  return waiting;
}

function waited({ line, error, kept, seconds }) {
  line.shown.say(
    `${wordsOf(error)} ${kept} It is tried again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`,
  );
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    addEventListener("online", done);
    line.now = done;
  });
}
