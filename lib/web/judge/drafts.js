// Keeps what is filled in so far with the service, so that it survives a reload. Must not know what is filled in.

import { call } from "../api.js";

const WAIT_MS = 500;

/** `draft()` gives what to keep. `changed()` keeps it soon, `flush()` at once; after `close()` nothing is kept any more. */
export function drafts({ lease, draft }) {
  let timer;
  let closed = false;
  const keep = async (options) => {
    clearTimeout(timer);
    timer = undefined;
    try {
      await call("PUT", `/v1/leases/${encodeURIComponent(lease)}/draft`, {
        body: { draft: draft() },
        ...options,
      });
    } catch (error) {
      // It stands on the page still, and the next change or the lease's next minute tries again.
      if (error.status === 0 && !closed) timer ??= setTimeout(keep, 10 * WAIT_MS);
    }
  };
  const leaving = () => {
    // A page that goes away may finish small calls.
    if (timer !== undefined) keep({ keepalive: true });
  };
  addEventListener("pagehide", leaving);
  document.addEventListener("visibilitychange", leaving);
  return {
    changed() {
      if (closed) return;
      clearTimeout(timer);
      timer = setTimeout(keep, WAIT_MS);
    },
    async flush() {
      if (timer !== undefined) await keep();
    },
    /** What is being sent needs no draft; a change after a refusal does again. */
    pause() {
      clearTimeout(timer);
      timer = undefined;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      timer = undefined;
      removeEventListener("pagehide", leaving);
      document.removeEventListener("visibilitychange", leaving);
    },
  };
}
