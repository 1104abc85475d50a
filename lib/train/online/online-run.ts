// What the loops of online trainers share: the request of a run, its reference, rollouts and watch, and what a checkpoint keeps
// of them. Must not know how a policy is updated.

import type { z } from "zod";
import type { FrozenModel } from "../../engine/contract.js";
import { logprobsOfRollout, type Numbers } from "../../rollout/index.js";
import type { BetweenSteps, OwnState } from "../between-steps.js";
import { frozenStart, refuseOffloadOf } from "../frozen-start.js";
import type { SharedMetrics } from "../metrics.js";
import { systemClock } from "../run-types.js";
import type { StepLog } from "../step-log.js";
import type { OpenWorkplace, Place } from "../workplace.js";
import { type OnlineRows, type OpenOnlineRows, openOnlineRows } from "./online-rows.js";
import type { OnlineSettings, SeparatedOnline } from "./online-settings.js";
import { checkRewardOffload } from "./option-needs.js";
import { type NextRollout, Rollouts } from "./rollouts.js";
import { rolloutMetrics, ScoreTreatment } from "./scored-rollout.js";
import { Watch } from "./watch.js";

export type OnlinePlace = Place & OnlineRows;

export interface OnlineRequest<Metrics extends SharedMetrics>
  extends Pick<OpenOnlineRows<Metrics>, "settings" | "value" | "texts" | "answersTogether"> {
  readonly command: string;
  readonly schema: z.ZodObject;
  /** Whether training compares with a reference; looks at evaluation prompts do in any case. */
  readonly compares: boolean;
  readonly separated: SeparatedOnline<Metrics>;
}

/** What `startTraining` opens. */
export function onlineWorkplace<Metrics extends SharedMetrics>(
  request: OnlineRequest<Metrics>,
): OpenWorkplace<Metrics, OnlineRows> {
  const { command, schema, compares, settings, separated, ...own } = request;
  const { inputs, values } = separated;
  const { reference } = inputs;
  const { referenceOffload } = settings;
  refuseOffloadOf(reference, referenceOffload);
  checkRewardOffload(settings);
  return {
    command,
    schema,
    settings,
    inputs,
    material: (opened) => openOnlineRows({ settings, inputs, ...own }, opened),
    lengthGiven: values.maxLength !== undefined,
    snapshots: reference === undefined && (compares || inputs.evalData !== undefined) ? 1 : 0,
    reference,
    referenceOffload,
  };
}

/** What the loop of an online trainer works with. */
export interface OnlineLoop<Settings, Metrics extends SharedMetrics> {
  readonly place: OnlinePlace;
  readonly settings: Settings;
  readonly log: StepLog<Metrics>;
  readonly between: BetweenSteps<Metrics>;
  readonly now: (() => number) | undefined;
}

export interface OnlineRunOptions {
  readonly place: OnlinePlace;
  readonly settings: OnlineSettings;
  readonly between: BetweenSteps<SharedMetrics>;
  /** Whether training compares with a reference, as the request said. */
  readonly compares: boolean;
  /** Whether rollouts carry log-probs of the reference; default `compares`. */
  readonly measures?: boolean;
  readonly exactKl?: boolean;
  readonly now?: () => number;
}

/** Plain JSON. */
interface SavedRun {
  readonly policyStep: number;
  readonly moments: ScoreTreatment["state"];
  readonly watch: Watch["state"];
  readonly own: unknown;
}

export interface TreatedRollout extends NextRollout {
  /** [samples] what is learned from; NaN where no source gave a score. */
  readonly scores: Float64Array;
}

/** Rollouts, watch and counters of a run; disposed at its end. */
export class OnlineRun {
  /** Undefined where nothing compares with one: neither training nor looks at evaluation prompts. */
  readonly reference: FrozenModel | undefined;
  readonly watch: Watch;
  readonly #options: OnlineRunOptions;
  readonly #now: () => number;
  readonly #rollouts: Rollouts;
  readonly #treatment: ScoreTreatment;
  readonly #snapshot: FrozenModel | undefined;
  #policyStep = 0;
  #warned = false;
  #step = 0;
  /** When the updates of the step began. */
  #begun = 0;

  private constructor(
    options: OnlineRunOptions,
    reference: FrozenModel | undefined,
    snapshot: FrozenModel | undefined,
  ) {
    const { place, settings, between, compares, exactKl = false, now = systemClock.now } = options;
    const { measures = compares } = options;
    this.#options = options;
    this.#now = now;
    this.#snapshot = snapshot;
    this.reference = reference;
    this.#treatment = new ScoreTreatment(settings);
    this.watch = new Watch({ place, settings, reference, between });
    this.#rollouts = new Rollouts({
      place,
      settings,
      reference: measures ? reference : undefined,
      exactKl,
      now,
      onProgress: (progress) => between.progress({ step: this.#step + 1, ...progress }),
    });
  }

  /** Takes the copy of the start that the policy is compared with: before later weights are put into the model. */
  static async open(options: OnlineRunOptions): Promise<OnlineRun> {
    const { reference, model, evaluation, warn } = options.place;
    if (reference !== undefined) return new OnlineRun(options, reference.model, undefined);
    if (!options.compares && evaluation === undefined) return new OnlineRun(options, undefined, undefined);
    const { referenceOffload: offload } = options.settings;
    const snapshot = await frozenStart({ model, offload, warn });
    return new OnlineRun(options, snapshot, snapshot);
  }

  /** Optimiser steps taken so far. */
  get policyStep(): number {
    return this.#policyStep;
  }

  /** Evaluates the start, or goes on from a checkpoint. `own`: what the algorithm keeps besides. */
  async begin(own: OwnState): Promise<void> {
    const { between } = this.#options;
    const state: OwnState = {
      save: (): SavedRun => ({
        policyStep: this.#policyStep,
        moments: this.#treatment.state,
        watch: this.watch.state,
        own: own.save(),
      }),
      restore: async (saved, folder) => {
        // Of the best step only the weights come back.
        if (folder === undefined) return;
        // What `save` of this very loop wrote.
        const { policyStep, moments, watch, own: kept } = saved as SavedRun;
        this.#policyStep = policyStep;
        this.#treatment.restore(moments);
        this.watch.restore(watch);
        await own.restore(kept, folder);
        const step = this.#options.place.earlier?.record.step ?? 0;
        if (this.#options.settings.replay === undefined) await this.#rollouts.restore(folder, step);
      },
      files: async () => [...((await own.files?.()) ?? []), ...(await this.#rollouts.files())],
    };
    between.addDetails(() => ({ overopt: this.watch.summary }));
    await between.begin((step) => this.watch.evaluate(step), state, this.watch.judge);
  }

  /** The rollout of a step, counted from 0. */
  async next(step: number): Promise<TreatedRollout> {
    this.#step = step;
    const next = await this.#rollouts.next({ step, policyStep: this.#policyStep });
    this.#begun = this.#now();
    if (next.rollout.scores.every(Number.isNaN)) this.#warnUnscored(step + 1);
    return { ...next, scores: this.#treatment.treated(next.rollout) };
  }

  /** Said once: a judge that is down for a while is no mistake. */
  #warnUnscored(step: number): void {
    if (!this.#warned)
      this.#options.place.warn(
        `No answer of step ${step} has a reward: every source said null. Such steps teach nothing.`,
      );
    this.#warned = true;
  }

  /** [tokens] log-probs under the policy of now; undefined where the rollout is its own. */
  async startLogprobs({ rollout, staleness }: NextRollout): Promise<Numbers | undefined> {
    if (staleness === 0) return undefined;
    const { place, settings } = this.#options;
    const { microBatchTokens } = settings;
    return logprobsOfRollout({ model: place.model, rollout, microBatchTokens, ...place.job });
  }

  /** Shows how far the updates of a step are. */
  progress(done: number, total: number): void {
    this.#options.between.progress({ step: this.#step + 1, phase: "update", done, total });
  }

  /** Counts the optimiser steps of an update. */
  took(optimizerSteps: number): void {
    this.#policyStep += optimizerSteps;
  }

  /** What every algorithm logs of a step; raises alarms where there are no evaluation prompts. Its time ends here. */
  metrics({ rollout, scores, staleness, times }: TreatedRollout) {
    const { length } = rollout.finish;
    const step = this.#step + 1;
    return {
      ...rolloutMetrics(rollout, scores),
      ...(length < 2 ? {} : this.watch.observe(step, rollout)),
      episode: step * length,
      staleness,
      "time/rollout_ms": times.rollout,
      "time/scoring_ms": times.scoring,
      "time/update_ms": this.#now() - this.#begun,
    };
  }

  async dispose(): Promise<void> {
    await this.#rollouts.dispose();
    await this.#snapshot?.dispose();
  }
}
