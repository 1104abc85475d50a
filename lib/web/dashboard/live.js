// Asks again and again while somebody looks: light figures each few seconds, heavy ones rarely and only when something has
// happened. Must not know what the figures mean.

import { call } from "../api.js";

/** Heavy calls take at most this share of the service's time. */
const MOST_SHARE = 1 / 20;

/**
 * `sources`: `{ name, path, query?, read?(answer), everyMs, afterEvents?, optional? }`; a query may be a function. With `afterEvents` it is asked for again
 * only when something has happened since. An optional one that the service does not have, or not for this token, is not
 * asked for again. `facts` is filled with what is answered, by name; `took()` is told after each answer, `failed(error)`
 * after each failure that matters.
 */
export function keepAsking({ facts, sources, took, failed }) {
  const states = sources.map((source) => ({
    source,
    due: 0,
    asking: false,
    over: false,
    again: false,
    mark: undefined,
  }));

  async function ask(state) {
    const { source } = state;
    const mark = facts.progress?.seq;
    state.asking = true;
    const began = performance.now();
    try {
      facts[source.name] = source.read ? source.read(await get(source)) : await get(source);
      state.mark = mark;
      const spent = performance.now() - began;
      state.due = performance.now() + Math.max(source.everyMs, spent / MOST_SHARE);
      took();
    } catch (error) {
      if (source.optional && (error.status === 404 || error.status === 403)) state.over = true;
      else {
        state.due = performance.now() + (error.retryAfter ?? 5) * 1000;
        failed(error);
      }
    } finally {
      state.asking = false;
      if (state.again) askAgain(state);
    }
  }
  const get = ({ path, query }) =>
    call("GET", path, { query: typeof query === "function" ? query() : query });
  const isDue = ({ source, due, asking, over, mark }) =>
    !over &&
    !asking &&
    performance.now() >= due &&
    (facts[source.name] === undefined || !source.afterEvents || mark !== facts.progress?.seq);

  function turn() {
    if (document.visibilityState !== "visible") return;
    for (const state of states) if (isDue(state)) ask(state);
  }
  setInterval(turn, 500);
  document.addEventListener("visibilitychange", turn);
  turn();
  return {
    /** Somebody has changed something here: what is named is asked for at once. */
    refresh(...names) {
      for (const state of states)
        if (names.includes(state.source.name)) {
          askAgain(state);
          // What is on its way may be older than the change.
          state.again = state.asking;
        }
      turn();
    },
  };
}

function askAgain(state) {
  state.due = 0;
  state.mark = undefined;
  state.again = false;
}
