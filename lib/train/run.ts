// A Run is what a trainer returns at once: an async iterable of events, a result, and a way to stop.
// Must not know any algorithm, file or engine.

/** A run's own control: the loop asks it after every step, and tells it what happened. */
export interface RunControl<Event> {
  emit(event: Event): void;
  /** True once `stop()` was called: finish this step, save, return. */
  readonly stopping: boolean;
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
 * A training run. Iterate it for its events, await `result` for its end; both are optional. An error of the run
 * rejects `result` and ends the iteration with the same error.
 */
export class Run<Event, Result> implements AsyncIterable<Event> {
  readonly result: Promise<Result>;
  #stopping = false;
  #ended = false;
  #waiting: Event[] = [];
  #wake: (() => void) | undefined;

  constructor(options: StartRunOptions<Event, Result>) {
    const run = this;
    const control: RunControl<Event> = {
      emit(event) {
        options.onEvent?.(event);
        run.#push(event);
      },
      get stopping() {
        return run.#stopping;
      },
    };
    this.result = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => options.work(control))
      .finally(() => {
        this.#ended = true;
        this.#wake?.();
      });
    // Who only iterates gets the error there; it must not count as unhandled.
    this.result.catch(() => undefined);
  }

  /** Finishes the current step, saves the model and resolves with the result so far. */
  stop(): Promise<Result> {
    this.#stopping = true;
    return this.result;
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
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #push(event: Event): void {
    if (this.#waiting.length === waitingEvents) this.#waiting.shift();
    this.#waiting.push(event);
    this.#wake?.();
  }
}
