// A project's log as server-sent events: what has happened behind a number, then what happens, without gaps or repeats.
// A reader that was cut off begins again behind the last one it has; one that is slow is waited for, and holds no more than
// one piece of the log. Must not change anything.

import { type FeedbackEvent, type FeedbackStore, readChunk } from "../feedback/index.js";

export interface EventStreamOptions {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly after: number;
  readonly signal: AbortSignal;
  /** Between comments that keep the connection open. Default 15,000. */
  readonly aliveMs?: number;
  /** What the reader is shown of an event. Default: all of it. */
  readonly shown?: (event: FeedbackEvent) => FeedbackEvent;
  /** Whether the reader may go on; asked every few seconds. Default: always. */
  readonly isOpen?: () => Promise<boolean>;
}

/** Between two questions whether the reader may go on. */
const CHECK_MS = 2_000;

/** Of events in one piece. */
const MOST_BYTES = 262_144;
/** Where much is written, events go out together: many readers would otherwise ask after every one. */
const GATHER_MS = 20;

export function eventStream(options: EventStreamOptions): Response {
  const reader = new LogReader(options);
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const text = await reader.next();
        if (text === undefined) controller.close();
        else controller.enqueue(encoder.encode(text));
      },
      cancel: () => reader.end(),
    },
    // Nothing is read ahead of whoever reads.
    { highWaterMark: 0 },
  );
  return new Response(stream, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" },
  });
}

class LogReader {
  private last: number;
  /** Something may have been written since the log was read. */
  private changed = false;
  private ended = false;
  private wake: () => void = () => undefined;
  private readonly unwatch: () => void;
  /** By the process's own clock, milliseconds. */
  private checked = performance.now();
  private heard = performance.now();

  constructor(private readonly options: EventStreamOptions) {
    const { store, project, after, signal } = options;
    this.last = after;
    this.unwatch = store.watch((written) => {
      if (written !== project) return;
      this.changed = true;
      this.wake();
    });
    if (signal.aborted) this.end();
    else signal.addEventListener("abort", () => this.end(), { once: true });
  }

  end(): void {
    this.ended = true;
    this.unwatch();
    this.wake();
  }

  /** What goes out next, as soon as there is something; undefined: no more. */
  async next(): Promise<string | undefined> {
    const { store, project, aliveMs = 15_000, shown = (event) => event } = this.options;
    while (!this.ended) {
      if (!(await this.mayGoOn())) break;
      this.changed = false;
      const events = await readChunk(store.reading, { project, after: this.last, mostBytes: MOST_BYTES });
      const last = events.at(-1)?.seq;
      if (last !== undefined) {
        this.last = last;
        this.heard = performance.now();
        return events
          .map((event) => `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(shown(event))}\n\n`)
          .join("");
      }
      if (!this.changed && (await this.sleep(Math.min(aliveMs, CHECK_MS), true))) {
        if (performance.now() - this.heard < aliveMs) continue;
        this.heard = performance.now();
        return ": alive\n\n";
      }
      await this.sleep(GATHER_MS, false);
    }
    return undefined;
  }

  /** A token that was revoked or is over shows nothing any more. */
  private async mayGoOn(): Promise<boolean> {
    const { isOpen } = this.options;
    if (isOpen === undefined || performance.now() - this.checked < CHECK_MS) return true;
    this.checked = performance.now();
    if (await isOpen()) return true;
    this.end();
    return false;
  }

  /** True when the time is over, false where it has ended or, with `early`, something was written. */
  private sleep(ms: number, early: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.ended) return resolve(false);
      const timer = setTimeout(() => resolve(true), ms);
      this.wake = () => {
        if (!early && !this.ended) return;
        clearTimeout(timer);
        resolve(false);
      };
    });
  }
}
