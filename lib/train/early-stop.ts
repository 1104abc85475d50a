// Early stop: counts evaluations since the best one, and keeps the weights of that one in the run's folder.
// Must not evaluate.

import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { JobOptions, TrainableModel } from "../engine/contract.js";
import { makeFolder } from "../engine/make-folder.js";
import { fail } from "../errors/index.js";
import { unwritable } from "./run-files.js";

/** Part of a checkpoint. */
export interface EarlyStopState {
  /** The step after which eval_loss was lowest; undefined before the first evaluation after a step. */
  readonly best: { readonly step: number; readonly loss: number; readonly own?: unknown } | undefined;
  /** Evaluations in a row that were not better. */
  readonly waited: number;
}

export interface EarlyStopOptions {
  /** Evaluations without a better one that end the run. */
  readonly patience: number;
  /** The run's folder. */
  readonly folder: string;
  readonly model: TrainableModel;
  readonly job: JobOptions;
}

/** Watches `eval_loss`. The model's start (step 0) is no candidate: training is what was asked for. */
export class EarlyStop {
  readonly #options: EarlyStopOptions;
  #state: EarlyStopState = { best: undefined, waited: 0 };

  constructor(options: EarlyStopOptions) {
    this.#options = options;
  }

  get state(): EarlyStopState {
    return this.#state;
  }

  /** True once patience is used up. */
  get ended(): boolean {
    return this.#state.waited >= this.#options.patience;
  }

  /** Goes on from a checkpoint. Throws ATTUNE_RESUME when the best weights are gone. */
  restore(state: EarlyStopState): void {
    this.#state = state;
    if (state.best === undefined || existsSync(this.#file(state.best.step))) return;
    const path = this.#file(state.best.step);
    const text = `Expected the weights of the best step at ${path} but they are gone. Start a new run.`;
    throw fail("ATTUNE_RESUME", text, { details: { path } });
  }

  /**
   * Takes in an evaluation after a step, and keeps the weights, and what the algorithm has beside them, when it is the best
   * so far. Returns whether it is.
   */
  async observe(step: number, loss: number, own?: unknown): Promise<boolean> {
    const { best, waited } = this.#state;
    if (best !== undefined && !(loss < best.loss)) {
      this.#state = { best, waited: waited + 1 };
      return false;
    }
    const { model, folder, job } = this.#options;
    const parent = join(folder, "best");
    try {
      makeFolder(resolve(parent));
    } catch (error) {
      throw unwritable(parent, error);
    }
    await model.saveState(this.#file(step), job);
    this.#state = { best: { step, loss, ...(own === undefined ? {} : { own }) }, waited: 0 };
    return true;
  }

  /** Removes the weights of steps that no checkpoint and no later end can ask for. */
  async forgetAllBut(steps: readonly number[]): Promise<void> {
    const kept = new Set([...steps, this.#state.best?.step].map((step) => `step-${step}.safetensors`));
    const folder = join(this.#options.folder, "best");
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder))
      if (!kept.has(name)) await rm(join(folder, name), { force: true });
  }

  /** Puts the best weights into the model. Returns that step; undefined when there was no evaluation after a step. */
  async takeBest(doneSteps: number): Promise<EarlyStopState["best"]> {
    const { best } = this.#state;
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
