// A Run is what a trainer returns at once: an async iterable of events, a result, and a way to stop.
// Must not know any algorithm, file or engine.

import { type AttuneError, fail } from "../errors/index.js";

/** A run's own control: the loop asks it after every step, and tells it what happened. */
export interface RunControl<Event> {
  emit(event: Event): void;
  /** True once `stop()` was called: finish this step, save, return. */
  readonly stopping: boolean;
  /** Aborted by `stop()`, with the error of a run that took no step: for work that need not be finished, such as loading. */
  readonly stopSignal: AbortSignal;
}

/** Why a run that was stopped too early has no result. */
export function stoppedBeforeWork(): AttuneError {
  return fail("ATTUNE_ABORTED", "The run was stopped before it took a step: nothing was trained or saved.");
}

export interface StartRunOptions<Event, Result> {
  /** The work; it starts in the next turn of the event loop, so that listeners can be attached first. */
  readonly work: (control: RunControl<Event>) => Promise<Result>;
  /** Called for every event, before it reaches an iterator; an exception stops the run. */
  readonly onEvent?: (event: Event) => void;
}

/** Events that wait for an iterator; older ones are let go, so a run without listeners holds no more than these. */
const waitingEvents = 4096;

/**
 * A training run. Iterate it for its events (each is given once, however many iterate), await `result` for its end; both
 * are optional. An error of the run
 * rejects `result` and ends the iteration with the same error.
 */
export class Run<Event, Result> implements AsyncIterable<Event>, AsyncDisposable {
  readonly result: Promise<Result>;
  readonly #stop = new AbortController();
  #ended = false;
  #waiting: Event[] = [];
  /** Iterators that wait for an event or the end. */
  readonly #sleeping = new Set<() => void>();

  constructor(options: StartRunOptions<Event, Result>) {
    const run = this;
    const control: RunControl<Event> = {
      emit(event) {
        options.onEvent?.(event);
        run.#push(event);
      },
      get stopping() {
        return run.#stop.signal.aborted;
      },
      stopSignal: this.#stop.signal,
    };
    this.result = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => options.work(control))
      .finally(() => {
        this.#ended = true;
        this.#wake();
      });
    // Who only iterates gets the error there; it must not count as unhandled.
    this.result.catch(() => undefined);
  }

  /**
   * Finishes the current step, saves a checkpoint and the model, and resolves with the result so far. Before the first
   * step there is nothing to save: the result is then rejected with ATTUNE_ABORTED.
   */
  stop(): Promise<Result> {
    this.#stop.abort(stoppedBeforeWork());
    return this.result;
  }

  /** Stops the run and waits for its end; how it ended is told by `result`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Event> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#ended) {
        await this.result;
        return;
      } else {
        await new Promise<void>((resolve) => this.#sleeping.add(resolve));
      }
    }
  }

  #push(event: Event): void {
    if (this.#waiting.length === waitingEvents) this.#waiting.shift();
    this.#waiting.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#sleeping) resolve();
    this.#sleeping.clear();
  }
}
