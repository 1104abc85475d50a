// A project's log as server-sent events: what has happened behind a number, then what happens, without gaps or repeats.
// A reader that was cut off begins again behind the last one it has. Must not change anything.

import { type FeedbackStore, readEvents } from "../feedback/index.js";

export interface EventStreamOptions {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly after: number;
  readonly signal: AbortSignal;
  /** Between comments that keep the connection open. Default 15,000. */
  readonly aliveMs?: number;
}

const CHUNK = 500;

export function eventStream({
  store,
  project,
  after,
  signal,
  aliveMs = 15_000,
}: EventStreamOptions): Response {
  const encoder = new TextEncoder();
  let last = after;
  let wake: () => void = () => undefined;
  let waiting = false;
  let ended = false;
  const unwatch = store.watch((changed) => {
    if (changed === project) {
      waiting = true;
      wake();
    }
  });
  const end = (): void => {
    ended = true;
    unwatch();
    wake();
  };
  signal.addEventListener("abort", end, { once: true });
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        if (ended) return controller.close();
        waiting = false;
        const events = await readEvents(store.reading, { project, after: last, most: CHUNK });
        if (events.length > 0) {
          last = events.at(-1)?.seq ?? last;
          const text = events.map(({ seq, type, ...rest }) => {
            const data = JSON.stringify({ seq, type, ...rest });
            return `id: ${seq}\nevent: ${type}\ndata: ${data}\n\n`;
          });
          controller.enqueue(encoder.encode(text.join("")));
          return;
        }
        if (waiting) continue;
        const alive = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(true), aliveMs);
          wake = () => {
            clearTimeout(timer);
            resolve(false);
          };
        });
        if (alive && !ended) {
          controller.enqueue(encoder.encode(": alive\n\n"));
          return;
        }
      }
    },
    cancel: end,
  });
  return new Response(stream, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" },
  });
}
