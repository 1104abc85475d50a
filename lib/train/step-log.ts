// Finishes every step of a loop: running sums, time, the metrics line, the event. Must not know an algorithm.

import { type MetricsWriter, peakRssBytes, type SharedMetrics, StepClock } from "./metrics.js";
import type { Clock, TrainControl } from "./run-types.js";

/** What a loop knows of a step; the rest of the shared metrics is added here. */
export type StepMetrics<Metrics extends SharedMetrics> = Omit<
  Metrics,
  "step" | "split" | "num_tokens" | "step_ms" | "tokens_per_second" | "peak_rss_bytes"
>;

export interface StepLogOptions<Metrics extends SharedMetrics> {
  readonly clock: Clock;
  readonly control: TrainControl<Metrics>;
  readonly writer: MetricsWriter;
  readonly logEvery: number;
  /** Optimiser steps planned. */
  readonly steps: number;
}

/** What a log has gathered: a checkpoint keeps it, and a run that goes on begins with it. */
export interface LogTotals<Metrics> {
  readonly steps: number;
  readonly numTokens: number;
  readonly milliseconds: number;
  readonly first: Metrics;
  readonly last: Metrics;
}

export class StepLog<Metrics extends SharedMetrics> {
  readonly #options: StepLogOptions<Metrics>;
  readonly #clock: StepClock;
  #numTokens = 0;
  #milliseconds = 0;
  #done = 0;
  #first: Metrics | undefined;
  #last: Metrics | undefined;

  constructor(options: StepLogOptions<Metrics>) {
    this.#options = options;
    this.#clock = new StepClock(options.clock.now);
  }

  /** Setup, an evaluation or a checkpoint is over: the next step is measured from here. */
  start(): void {
    this.#clock.lap();
  }

  /** Undefined before the first step. */
  get totals(): LogTotals<Metrics> | undefined {
    if (this.#first === undefined || this.#last === undefined) return undefined;
    return {
      steps: this.#done,
      numTokens: this.#numTokens,
      milliseconds: this.#milliseconds,
      first: this.#first,
      last: this.#last,
    };
  }

  /** Goes on from a checkpoint. */
  restore({ steps, numTokens, milliseconds, first, last }: LogTotals<Metrics>): void {
    this.#done = steps;
    this.#numTokens = numTokens;
    this.#milliseconds = milliseconds;
    this.#first = first;
    this.#last = last;
  }

  /** Steps finished. */
  get done(): number {
    return this.#done;
  }

  /** Ends a step: the clock, the line in metrics.jsonl (every `logEvery` steps and at the end), the event. */
  finish(epoch: number, known: StepMetrics<Metrics>): void {
    const { control, writer, logEvery, steps } = this.#options;
    this.#done += 1;
    this.#numTokens += known.tokens;
    const stepMs = this.#clock.lap();
    this.#milliseconds += stepMs;
    const metrics = {
      step: this.#done,
      split: "train",
      ...known,
      num_tokens: this.#numTokens,
      step_ms: Math.round(stepMs * 1000) / 1000,
      tokens_per_second: Math.round((known.tokens / Math.max(stepMs, 1e-3)) * 1e5) / 100,
      peak_rss_bytes: peakRssBytes(),
    } as unknown as Metrics;
    this.#first ??= metrics;
    this.#last = metrics;
    const logged = isLogged(this.#done, { logEvery, steps }) || control.stopping;
    if (logged) writer.write(metrics);
    control.emit({ type: "step", step: this.#done, steps, epoch, logged, metrics });
  }
}

/** Whether an undisturbed run writes a line for this step. */
export function isLogged(step: number, { logEvery, steps }: { logEvery: number; steps: number }): boolean {
  return step % logEvery === 0 || step === steps;
}
