// What happens between the steps of a loop: going on from a checkpoint, evaluations, early stop, samples, checkpoints,
// stopping.
// Must not know an algorithm.

import { join } from "node:path";
import type { StepRows } from "../data/index.js";
import { AttuneError, fail } from "../errors/index.js";
import { checkpointFormat, readCheckpoint, stateName } from "./checkpoint-record.js";
import { checkpointFolder, checkpointSteps, type StateFile, writeCheckpoint } from "./checkpoints.js";
import { EarlyStop, Patience, type StopJudge } from "./early-stop.js";
import { versions } from "./machine.js";
import type { EvalMetrics, SharedMetrics } from "./metrics.js";
import { stateBytes } from "./plan-room.js";
import { appendToFile } from "./run-files.js";
import {
  type Alarm,
  type Clock,
  type EarlyEnd,
  type ProgressEvent,
  systemClock,
  type TrainControl,
} from "./run-types.js";
import { takeSamples, writeSamples } from "./samples.js";
import type { SharedSettings } from "./settings.js";
import type { LogTotals, StepLog } from "./step-log.js";
import type { Place } from "./workplace.js";

export interface BetweenStepsOptions<Metrics extends SharedMetrics> {
  readonly command: string;
  readonly settings: SharedSettings;
  readonly place: Place;
  readonly log: StepLog<Metrics>;
  readonly control: TrainControl<Metrics>;
  readonly clock: Clock | undefined;
}

/** Measures the evaluation rows as the model is now, after so many steps: keys with `eval_`. */
export type Evaluate = (step: number) => Promise<Readonly<Record<`eval_${string}`, number>>>;

/** What an algorithm keeps beside the model's weights. */
export interface OwnState {
  /** Plain data, part of the checkpoint's record. */
  readonly save: () => unknown;
  /** `folder`: the checkpoint with the further files; undefined where only what was saved with the best weights comes back. */
  readonly restore: (saved: unknown, folder: string | undefined) => void | Promise<void>;
  /** Further files of the checkpoint of now. */
  readonly files?: () => readonly StateFile[] | Promise<readonly StateFile[]>;
}

export class BetweenSteps<Metrics extends SharedMetrics> {
  readonly #options: BetweenStepsOptions<Metrics>;
  readonly #clock: Clock;
  #earlyStop: EarlyStop | undefined;
  #evaluate: Evaluate | undefined;
  #own: OwnState | undefined;
  #evaluation: { readonly first: EvalMetrics; readonly last: EvalMetrics } | undefined;
  #checkpoint: string | undefined;
  #failure: AttuneError | undefined;
  /** Step of the first alarm. */
  #alarmed: number | undefined;
  /** The alarm that ends the run. */
  #alarmEnds: string | undefined;
  #ends: EarlyEnd | undefined;
  #details: (() => Readonly<Record<string, unknown>>) | undefined;

  constructor(options: BetweenStepsOptions<Metrics>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { place } = options;
    this.#checkpoint = place.earlier?.folder;
  }

  get evaluation(): { readonly first: EvalMetrics; readonly last: EvalMetrics } | undefined {
    return this.#evaluation;
  }

  /** The newest checkpoint. */
  get checkpoint(): string | undefined {
    return this.#checkpoint;
  }

  /** Why a stopped run has no checkpoint of its last step; its model is saved before this is thrown. */
  get failure(): AttuneError | undefined {
    return this.#failure;
  }

  /** Why the run is done before its last step. */
  get endedEarly(): EarlyEnd | undefined {
    return this.#ends;
  }

  /** Tells of an alarm: an event, and a line in alarms.jsonl. Throws ATTUNE_OUTPUT. */
  alarm(alarm: Alarm): void {
    this.#alarmed ??= alarm.step;
    appendToFile(join(this.#options.settings.output, "alarms.jsonl"), JSON.stringify(alarm));
    this.#options.control.emit({ type: "alarm", ...alarm });
  }

  /** Where a long step is. */
  progress(progress: Omit<ProgressEvent, "type">): void {
    this.#options.control.emit({ type: "progress", ...progress });
  }

  /** What the algorithm found besides, for run.json; asked for once the last step is taken. */
  addDetails(details: () => Readonly<Record<string, unknown>>): void {
    this.#details = details;
  }

  get details(): Readonly<Record<string, unknown>> | undefined {
    return this.#details?.();
  }

  /** The run is done after this step, as if it had been the last one: this alarm asks for it. */
  endAfterThisStep(alarm: Alarm): void {
    this.#alarmEnds ??= alarm.name;
  }

  /**
   * Before the first step, and after the loop took its copy of the start: puts a checkpoint's state into the model, or
   * evaluates the start. Then the clock runs. `judge` says which weights are the best; `earlyStop` asks for one by eval_loss.
   * @throws ATTUNE_ABORTED when the run was stopped already
   */
  async begin(evaluate: Evaluate, own?: OwnState, judge?: StopJudge): Promise<void> {
    const { place, log, control, settings } = this.#options;
    this.#own = own;
    this.#evaluate = place.evaluationCount === undefined ? undefined : evaluate;
    const { earlyStop, output: folder } = settings;
    const judged = judge ?? (earlyStop === undefined ? undefined : new Patience(earlyStop));
    const { model, job } = place;
    this.#earlyStop = judged && new EarlyStop({ judge: judged, folder, model, job });
    const { earlier } = place;
    if (earlier === undefined) {
      if (!control.stopping) {
        await this.#measure(0);
        await this.#sample(0);
      }
    } else {
      await loadFrom(earlier, place);
      this.#alarmed = earlier.record.alarmed;
      // The log of this very loop wrote them.
      log.restore(earlier.record.log as unknown as LogTotals<Metrics>);
      await own?.restore(earlier.record.own, earlier.folder);
      this.#evaluation = earlier.record.evaluation;
      if (earlier.record.earlyStop !== undefined) this.#earlyStop?.restore(earlier.record.earlyStop);
    }
    control.stopSignal.throwIfAborted();
    log.start();
  }

  /** After a step: evaluates and saves what is due. Returns whether the loop ends here. */
  async after({ step: index, epoch, rows }: StepRows): Promise<boolean> {
    const { place, log, control, settings } = this.#options;
    const step = index + 1;
    const last = step === place.steps;
    if (last || isDue(step, settings.evalEvery)) await this.#measure(step);
    if (last || isDue(step, settings.sampleEvery)) await this.#sample(step);
    if (!last) this.#ends = this.#earlyEnd(step);
    const ends = last || this.#ends !== undefined;
    if (!ends && (control.stopping || isDue(step, settings.saveEvery)))
      await this.#trySave(step, epoch, rows.length);
    log.start();
    return ends || control.stopping;
  }

  /** At the end of a run that took its last step: the best weights are put into the model. Returns their step. */
  async finish(): Promise<number | undefined> {
    const { log } = this.#options;
    const best = await this.#earlyStop?.takeBest(log.done);
    if (best !== undefined && best.step !== log.done) await this.#own?.restore(best.own, undefined);
    return best?.step;
  }

  /** Everything is saved: what only served to go on is removed. */
  async done(): Promise<void> {
    await this.#earlyStop?.removeAll();
  }

  #earlyEnd(step: number): EarlyEnd | undefined {
    if (this.#alarmEnds !== undefined) return { by: "stop-on", step, why: `alarm ${this.#alarmEnds}` };
    if (this.#earlyStop?.ended !== true) return undefined;
    if (this.#options.settings.earlyStop !== undefined)
      return { by: "early-stop", step, why: "its evaluation got no better" };
    return {
      by: "stop-rule",
      step,
      why: "its gold score stayed below its best, or its KL went over the budget",
    };
  }

  async #measure(step: number): Promise<void> {
    const { place, control } = this.#options;
    if (this.#evaluate === undefined) return;
    const begun = this.#clock.now();
    const measured = await this.#evaluate(step);
    const ms = Math.round((this.#clock.now() - begun) * 1000) / 1000;
    const metrics: EvalMetrics = { step, split: "eval", ...measured, eval_ms: ms };
    place.folder.metrics.write(metrics);
    this.#evaluation = { first: this.#evaluation?.first ?? metrics, last: metrics };
    const best = step > 0 && (await this.#earlyStop?.observe(metrics, this.#own?.save())) === true;
    if (best) await this.#earlyStop?.forgetAllBut(bestSteps(this.#options.settings.output));
    control.emit({ type: "eval", step, steps: place.steps, metrics, best });
  }

  async #sample(step: number): Promise<void> {
    const { place, control, settings } = this.#options;
    const { sampleEvery, samplePrompts, sampleTokens: maxNewTokens, output } = settings;
    if (sampleEvery === 0) return;
    const { model, tokenizer, job } = place;
    const prompts = place.samplePrompts(samplePrompts);
    const samples = await takeSamples({ model, tokenizer, prompts, maxNewTokens, step, job });
    writeSamples(output, samples);
    for (const sample of samples) control.emit({ type: "sample", ...sample });
  }

  /** A run that ends here anyway still has its model to save. */
  async #trySave(step: number, epoch: number, rowsOfStep: number): Promise<void> {
    try {
      await this.#save(step, epoch, rowsOfStep);
    } catch (error) {
      if (!this.#options.control.stopping || !(error instanceof AttuneError)) throw error;
      this.#failure = error;
    }
  }

  async #save(step: number, epoch: number, rowsOfStep: number): Promise<void> {
    const { place, log, control, settings, command } = this.#options;
    const { totals } = log;
    if (totals === undefined) return;
    const { model, job } = place;
    const { output, keepCheckpoints, batchSize } = settings;
    const perEpoch = Math.ceil(place.rowCount / batchSize);
    const own = (await this.#own?.files?.()) ?? [];
    const state = {
      name: stateName,
      bytes: stateBytes(model),
      save: (file: string) => model.saveState(file, job),
    };
    const folder = await writeCheckpoint({
      output,
      keep: keepCheckpoints,
      alarmed: this.#alarmed,
      files: [state, ...own],
      record: {
        formatVersion: checkpointFormat,
        command,
        written: this.#clock.date().toISOString(),
        step,
        epoch,
        rowsOfEpoch: ((step - 1) % perEpoch) * batchSize + rowsOfStep,
        log: totals,
        evaluation: this.#evaluation,
        earlyStop: this.#earlyStop?.state,
        ...(this.#alarmed === undefined ? {} : { alarmed: this.#alarmed }),
        ...(this.#own === undefined ? {} : { own: this.#own.save() }),
        identity: place.identity,
        versions: versions(),
      },
    });
    this.#checkpoint = folder;
    await this.#earlyStop?.forgetAllBut(bestSteps(output));
    control.emit({ type: "checkpoint", step, folder });
  }
}

/** Throws ATTUNE_NOT_FINITE saying what to do, where the weights were ruined before they were saved. */
async function loadFrom(
  { folder, state }: NonNullable<Place["earlier"]>,
  { model, job }: Place,
): Promise<void> {
  try {
    await model.loadState(state, job);
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_NOT_FINITE") throw error;
    const advice = `Remove ${folder} to go on from an earlier checkpoint, if there is one.`;
    throw fail("ATTUNE_NOT_FINITE", `${error.message} ${advice}`, {
      cause: error,
      details: { path: folder },
    });
  }
}

function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

/** Steps whose weights the kept checkpoints may still ask for. */
function bestSteps(output: string): readonly number[] {
  return checkpointSteps(output).flatMap((step) => {
    const read = readCheckpoint(checkpointFolder(output, step));
    return "record" in read ? (read.record.earlyStop?.best?.step ?? []) : [];
  });
}
