// Early stop: a judge says which evaluation is the best and when to end; the weights of the best are kept in the run's folder.
// Must not evaluate.

import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { makeFolder } from "../engine/make-folder.js";
import { fail } from "../errors/index.js";
import type { EvalMetrics } from "./metrics.js";
import { unwritable } from "./run-files.js";

/** Says of every evaluation after a step whether it is the best so far, and whether the run ends with it. */
export interface StopJudge {
  observe(metrics: EvalMetrics): { readonly best: boolean; readonly ends: boolean };
  /** Part of a checkpoint: plain JSON. */
  readonly state: unknown;
  restore(state: unknown): void;
}

/** Part of a checkpoint. */
export interface EarlyStopState {
  /** The step of the best evaluation; undefined before the first evaluation after a step. */
  readonly best: { readonly step: number; readonly own?: unknown } | undefined;
  readonly ended: boolean;
  /** The judge's. */
  readonly judge: unknown;
}

export interface EarlyStopOptions {
  readonly judge: StopJudge;
  /** The run's folder. */
  readonly folder: string;
  readonly model: TrainableModel;
  readonly job: JobOptions;
}

/** Judges by `eval_loss`: ends after `patience` evaluations in a row that were not better. */
export class Patience implements StopJudge {
  readonly #patience: number;
  #state: { readonly loss: number | undefined; readonly waited: number } = { loss: undefined, waited: 0 };

  constructor(patience: number) {
    this.#patience = patience;
  }

  get state(): unknown {
    return this.#state;
  }

  restore(state: unknown): void {
    // The state of this very class, out of a checkpoint.
    this.#state = state as { readonly loss: number | undefined; readonly waited: number };
  }

  observe({ eval_loss: found = Number.NaN }: EvalMetrics) {
    const { loss, waited } = this.#state;
    const best = loss === undefined || found < loss;
    this.#state = best ? { loss: found, waited: 0 } : { loss, waited: waited + 1 };
    return { best, ends: this.#state.waited >= this.#patience };
  }
}

/** The model's start (step 0) is no candidate: training is what was asked for. */
export class EarlyStop {
  readonly #options: EarlyStopOptions;
  #best: EarlyStopState["best"];
  #ended = false;

  constructor(options: EarlyStopOptions) {
    this.#options = options;
  }

  get state(): EarlyStopState {
    return { best: this.#best, ended: this.#ended, judge: this.#options.judge.state };
  }

  /** True once the judge has said so. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Goes on from a checkpoint. Throws ATTUNE_RESUME when the best weights are gone. */
  restore(state: EarlyStopState): void {
    const { best, ended, judge } = state;
    this.#best = best;
    this.#ended = ended;
    this.#options.judge.restore(judge);
    if (best === undefined || existsSync(this.#file(best.step))) return;
    const path = this.#file(best.step);
    const text = `Expected the weights of the best step at ${path} but they are gone. Start a new run.`;
    throw fail("ATTUNE_RESUME", text, { details: { path } });
  }

  /**
   * Takes in an evaluation after a step, and keeps the weights, and what the algorithm has beside them, when it is the best
   * so far. Returns whether it is.
   */
  async observe(metrics: EvalMetrics, own?: unknown): Promise<boolean> {
    const { best, ends } = this.#options.judge.observe(metrics);
    this.#ended = ends;
    if (!best) return false;
    const { step } = metrics;
    const { model, folder, job } = this.#options;
    const parent = join(folder, "best");
    try {
      makeFolder(resolve(parent));
    } catch (error) {
      throw unwritable(parent, error);
    }
    await model.saveState(this.#file(step), job);
    this.#best = { step, ...(own === undefined ? {} : { own }) };
    return true;
  }

  /** Removes the weights of steps that no checkpoint and no later end can ask for. */
  async forgetAllBut(steps: readonly number[]): Promise<void> {
    const kept = new Set([...steps, this.#best?.step].map((step) => `step-${step}.safetensors`));
    const folder = join(this.#options.folder, "best");
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder))
      if (!kept.has(name)) await rm(join(folder, name), { force: true });
  }

  /** Puts the best weights into the model. Returns that step; undefined when there was no evaluation after a step. */
  async takeBest(doneSteps: number): Promise<EarlyStopState["best"]> {
    const best = this.#best;
    if (best !== undefined && best.step !== doneSteps) {
      const { model, job } = this.#options;
      await model.loadState(this.#file(best.step), job);
    }
    return best;
  }

  /** The run is done: its model holds the best weights. */
  async removeAll(): Promise<void> {
    await rm(join(this.#options.folder, "best"), { recursive: true, force: true });
  }

  #file(step: number): string {
    return join(this.#options.folder, "best", `step-${step}.safetensors`);
  }
}
