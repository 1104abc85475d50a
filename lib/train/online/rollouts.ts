// The rollouts of a run, one per step: sampled by the policy of now, or replayed from a folder; kept where asked for.
// Must not compute advantages or losses.

import { basename, dirname, join } from "node:path";
import type { FrozenModel, JobOptions } from "../../engine/contract.js";
import { AttuneError, fail } from "../../errors/index.js";
import {
  type QueuedRollout,
  type Rollout,
  type RolloutProgress,
  type RolloutPrompt,
  RolloutQueue,
  readRollout,
  rolloutFiles,
  rolloutPath,
  type SampledRollout,
  sampleRollout,
  scoreRollout,
  writeRollout,
} from "../../rollout/index.js";
import type { StateFile } from "../checkpoints.js";
import type { Place } from "../workplace.js";
import type { OnlineRows } from "./online-rows.js";
import type { OnlineSettings } from "./online-settings.js";

export interface RolloutsOptions {
  readonly place: Place & OnlineRows;
  readonly settings: OnlineSettings;
  /** Undefined: nothing is compared with a reference. */
  readonly reference: FrozenModel | undefined;
  readonly exactKl?: boolean;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly onProgress: (progress: RolloutProgress) => void;
}

/** Where the time of a rollout went, milliseconds. */
export interface RolloutTimes {
  readonly rollout: number;
  /** Reference, values and rewards; less than that where it went on beside an update. */
  readonly scoring: number;
}

export interface NextRollout extends QueuedRollout {
  readonly times: RolloutTimes;
}

/** Gives a rollout per step; a checkpoint keeps the one that lies ahead. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #folder: string;
  #queue: RolloutQueue | undefined;
  #sampling = 0;

  constructor(options: RolloutsOptions) {
    this.#options = options;
    this.#folder = join(options.settings.output, "rollouts");
  }

  /** `step` from 0; `policyStep`: optimiser steps taken so far. Throws what sampling and scoring throw. */
  async next({
    step,
    policyStep,
  }: {
    readonly step: number;
    readonly policyStep: number;
  }): Promise<NextRollout> {
    const { place, settings, now } = this.#options;
    this.#sampling = 0;
    const begun = now();
    if (settings.replay !== undefined) {
      const rollout = await this.#replayed(step);
      const staleness = Math.max(0, policyStep - rollout.policyStep);
      return { rollout, staleness, times: { rollout: now() - begun, scoring: 0 } };
    }
    this.#queue ??= this.#open(step);
    const last = step + 1 >= place.steps;
    const next = await this.#queue.next({ policyStep, last });
    if (settings.saveRollouts) await writeRollout(this.#folder, next.rollout);
    const waited = now() - begun;
    // Scoring that goes on beside an update is nobody's time but for what is waited for.
    const rollout = Math.min(this.#sampling, waited);
    return { ...next, times: { rollout, scoring: waited - rollout } };
  }

  /** The rollout that lies ahead, as a file of a checkpoint. */
  async files(): Promise<readonly StateFile[]> {
    const ahead = await this.#queue?.drain();
    if (ahead === undefined) return [];
    const bytes = 64 * ahead.tokens.length + (1 << 16);
    const save = async (path: string) => void (await writeRollout(dirname(path), ahead));
    return [{ name: basename(rolloutPath("", ahead.number)), bytes, save }];
  }

  /** Goes on at `step` with what a checkpoint kept. */
  async restore(folder: string, step: number): Promise<void> {
    const kept = (await rolloutFiles(folder)).find(({ number }) => number === step);
    this.#queue = this.#open(step, kept === undefined ? undefined : await readRollout(kept.path));
  }

  async dispose(): Promise<void> {
    await this.#queue?.dispose();
  }

  #open(first: number, pending?: Rollout): RolloutQueue {
    const { settings, place } = this.#options;
    return new RolloutQueue({
      maxStaleness: settings.maxStaleness,
      first,
      ...(pending === undefined ? {} : { pending }),
      ...place.job,
      sample: async ({ number, policyStep, signal }) => this.#sample(number, policyStep, signal),
      score: async (sampled, job) => this.#score(sampled, job),
    });
  }

  async #sample(number: number, policyStep: number, signal?: AbortSignal): Promise<SampledRollout> {
    const { place, settings, reference, exactKl = false, now, onProgress } = this.#options;
    const { model, value } = place;
    const begun = now();
    let sampled = begun;
    const rollout = await samplingStep(number + 1, {
      policy: model,
      reference,
      exactKl,
      value,
      prompts: this.#prompts(number),
      sampling: samplingOf(settings),
      seed: settings.seed,
      number,
      policyStep,
      microBatchTokens: settings.microBatchTokens,
      ...(signal === undefined ? {} : { signal }),
      onProgress: (progress) => {
        if (progress.phase === "samples") sampled = now();
        onProgress(progress);
      },
    });
    this.#sampling += sampled - begun;
    return rollout;
  }

  async #score(rollout: SampledRollout, job: JobOptions): Promise<Rollout> {
    const { place, onProgress } = this.#options;
    const { rewards, tokenizer } = place;
    const prompts = this.#prompts(rollout.number);
    return scoreRollout({ rollout, prompts, rewards, tokenizer, onProgress, ...job });
  }

  #prompts(number: number) {
    const { prompts, order } = this.#options.place;
    return promptsAt(prompts, order(number));
  }

  async #replayed(step: number): Promise<Rollout> {
    const { place, settings, reference } = this.#options;
    const { replay = "" } = settings;
    const path = rolloutPath(replay, step);
    const known = await rolloutFiles(replay);
    if (!known.some(({ number }) => number === step)) {
      const text = `Expected the rollout of step ${step + 1} at ${path} but ${replay} holds ${known.length}.`;
      throw fail(
        "ATTUNE_DATA",
        `${text} Give --max-steps ${known.length}, or keep more with --save-rollouts.`,
        {
          details: { path },
        },
      );
    }
    const rollout = await readRollout(path);
    const missing =
      reference !== undefined && rollout.referenceLogprobs === undefined
        ? "log-probs of a reference"
        : place.value !== undefined && rollout.values === undefined
          ? "values"
          : undefined;
    if (missing === undefined) return rollout;
    throw fail("ATTUNE_DATA", `Expected ${missing} in ${path} but another algorithm kept it without.`, {
      details: { path },
    });
  }
}

/** Throws ATTUNE_NOT_FINITE naming the step, where updates ruined the weights. */
async function samplingStep(
  step: number,
  options: Parameters<typeof sampleRollout>[0],
): Promise<SampledRollout> {
  try {
    return await sampleRollout(options);
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_NOT_FINITE") throw error;
    const text = `While answers were sampled for step ${step}: ${error.message}`;
    const advice =
      "Updates have ruined the weights: lower the learning rate, and go on from a checkpoint of earlier steps.";
    throw fail("ATTUNE_NOT_FINITE", `${text} ${advice}`, { cause: error, details: { step } });
  }
}

/** How a run samples, for rollouts and looks alike. */
export function samplingOf(settings: OnlineSettings) {
  const { maxNewTokens, temperature, samples, decodeBatch, ignoreEos } = settings;
  const stop = ignoreEos ? { stopTokens: [] } : {};
  return { maxNewTokens, temperature, samples, batchSize: decodeBatch, ...stop } as const;
}

/** Prompts by their positions. Throws RangeError. */
export function promptsAt(prompts: readonly RolloutPrompt[], positions: ArrayLike<number>): RolloutPrompt[] {
  return Array.from(positions, (position) => {
    const prompt = prompts[position];
    if (prompt === undefined) throw new RangeError(`no prompt ${position}`);
    return prompt;
  });
}
