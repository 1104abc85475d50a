// Rollouts one after another, of which the next one may be scored while the caller updates.
// Must not know how they are collected: two functions passed in do it.

import type { JobOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import type { Rollout, SampledRollout } from "./rollout.js";

export interface NextSamples extends JobOptions {
  /** Of the rollout. */
  readonly number: number;
  /** As given to `next`. */
  readonly policyStep: number;
}

export interface RolloutQueueOptions extends JobOptions {
  /** Samples with the weights of now, and computes values with them; ended before `next` returns. */
  readonly sample: (request: NextSamples) => Promise<SampledRollout>;
  /** Scores; goes on while the caller updates. */
  readonly score: (sampled: SampledRollout, job: JobOptions) => Promise<Rollout>;
  /** Optimiser steps that may lie between sampling and use. 0: nothing is sampled ahead. */
  readonly maxStaleness: number;
  /** Number of the first rollout. Default 0. */
  readonly first?: number;
  /** What `drain` gave an earlier queue; its number is `first`. */
  readonly pending?: Rollout | undefined;
}

export interface QueuedRollout {
  readonly rollout: Rollout;
  /** Optimiser steps since it was sampled. */
  readonly staleness: number;
}

interface Pending {
  readonly sampled: SampledRollout;
  readonly scored: Promise<Rollout>;
}

/**
 * Keeps at most one rollout ahead. It is sampled whole before the caller goes on, so that its policy is that of one step
 * and results repeat bit for bit; only its scoring overlaps with the update. An engine runs commands in order, so this helps
 * where reward functions wait for something else, and not where reward models compute on the same engine.
 */
export class RolloutQueue {
  readonly #options: RolloutQueueOptions;
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  #number: number;
  #pending: Pending | undefined;
  #discarded = 0;

  constructor(options: RolloutQueueOptions) {
    const { maxStaleness, first = 0, pending, signal } = options;
    if (!(Number.isSafeInteger(maxStaleness) && maxStaleness >= 0)) {
      const text = `Expected maxStaleness to be an integer of at least 0 (optimiser steps) but received ${maxStaleness}.`;
      throw fail("ATTUNE_OPTION", text);
    }
    this.#options = options;
    this.#number = first;
    if (pending !== undefined) this.#pending = { sampled: pending, scored: Promise.resolve(pending) };
    this.#cancel = () => this.#controller.abort(signal?.reason);
    if (signal?.aborted) this.#cancel();
    signal?.addEventListener("abort", this.#cancel, { once: true });
  }

  /** Rollouts that were too stale when they were asked for, and were sampled anew. */
  get discarded(): number {
    return this.#discarded;
  }

  /**
   * The next rollout. `policyStep` counts the optimiser steps taken so far; `last` = nothing is sampled ahead any more.
   * Throws what sampling and scoring throw; the rollout is then tried again by the next call.
   */
  async next(request: { readonly policyStep: number; readonly last?: boolean }): Promise<QueuedRollout> {
    const { policyStep, last = false } = request;
    const { maxStaleness } = this.#options;
    if (this.#pending !== undefined && policyStep - this.#pending.sampled.policyStep > maxStaleness) {
      await this.#forget();
      this.#discarded += 1;
    }
    const current = this.#pending ?? (await this.#begin(this.#number, policyStep));
    this.#pending = undefined;
    if (maxStaleness > 0 && !last) this.#pending = await this.#begin(this.#number + 1, policyStep);
    try {
      const rollout = await current.scored;
      this.#number += 1;
      return { rollout, staleness: policyStep - rollout.policyStep };
    } catch (error) {
      // What lies ahead comes behind the one that failed.
      await this.#forget();
      throw error;
    }
  }

  async #begin(number: number, policyStep: number): Promise<Pending> {
    const { signal } = this.#controller;
    signal.throwIfAborted();
    const sampled = await this.#options.sample({ number, policyStep, signal });
    const scored = this.#options.score(sampled, { signal });
    // Whoever takes it sees the failure; until then it is nobody's.
    scored.catch(() => {});
    return { sampled, scored };
  }

  /** The rollout that lies ahead, once it is scored, for a checkpoint; it stays in the queue. */
  async drain(): Promise<Rollout | undefined> {
    return this.#pending?.scored;
  }

  /** Cancels what is under way and waits for its end. */
  async dispose(): Promise<void> {
    this.#controller.abort(fail("ATTUNE_ABORTED", "The queue of rollouts was disposed."));
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    await this.#forget();
  }

  async #forget(): Promise<void> {
    await this.#pending?.scored.catch(() => {});
    this.#pending = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
