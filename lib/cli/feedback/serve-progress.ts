// Shows on standard error how a project goes while it is served: a live line on a terminal, a line when something has
// changed elsewhere. Must not change anything.

import { type FeedbackStore, progressOf } from "../../feedback/index.js";
import { grouped } from "../format.js";
import type { Output } from "../terminal.js";

export interface FollowServing {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly output: Output;
  /** Milliseconds between two looks. Default 1,000 on a terminal, 10,000 elsewhere. */
  readonly every?: number;
}

/** Its result ends it and leaves the live line. */
export function followServing({ store, project, output, every }: FollowServing): () => void {
  const live = output.isTTY === true;
  let changed = true;
  let lineOpen = false;
  let looking = false;
  const unwatch = store.watch((name) => {
    changed ||= name === project;
  });
  const look = async () => {
    if (!changed || looking) return;
    looking = true;
    changed = false;
    try {
      const text = await progressText(store, project);
      output.write(live ? `\r\x1b[K${text}` : `${text}\n`);
      lineOpen = live;
    } catch {
      // The store is closing, or says so itself.
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), every ?? (live ? 1_000 : 10_000));
  return () => {
    clearInterval(timer);
    unwatch();
    if (lineOpen) output.write("\n");
  };
}

async function progressText(store: FeedbackStore, project: string): Promise<string> {
  const { items, judgements, lastHour, people } = await progressOf(store.reading, project, Date.now());
  const done = items.enough + items.closed;
  const all = done + items.open + items.disputed;
  const parts = [
    `${grouped(judgements)} judgements`,
    `${grouped(lastHour)} in the last hour`,
    `${people} ${people === 1 ? "person" : "people"} today`,
    `${grouped(done)} of ${grouped(all)} items done`,
  ];
  if (items.disputed > 0) parts.push(`${grouped(items.disputed)} disputed`);
  return parts.join("  ");
}
