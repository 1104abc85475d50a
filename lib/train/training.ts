// Wraps a loop: opens its workplace, starts its log, saves the model, and writes how the run ended.
// Must not know an algorithm.

import { AttuneError } from "../errors/index.js";
import { BetweenSteps } from "./between-steps.js";
import { guardedReport, guardedSink } from "./followers.js";
import type { SharedMetrics } from "./metrics.js";
import { Run } from "./run.js";
import type { RunFolder } from "./run-folder.js";
import { systemClock, type TrainControl, type TrainResult, type TrainRun } from "./run-types.js";
import { StepLog } from "./step-log.js";
import { type OpenWorkplace, openWorkplace, type Place } from "./workplace.js";

/** An algorithm: takes steps until the plan ends or `between.after` says so. */
export type Loop<Metrics extends SharedMetrics, Own> = (
  place: Place & Own,
  log: StepLog<Metrics>,
  between: BetweenSteps<Metrics>,
) => Promise<void>;

/** What is left to do once all steps are taken and the best weights are in the model. Its result goes to run.json. */
export type Afterwards<Own> = (place: Place & Own) => Promise<Readonly<Record<string, unknown>>>;

/** Starts a run around a loop; returns at once. */
export function startTraining<Metrics extends SharedMetrics, Own>(
  request: OpenWorkplace<Metrics, Own>,
  loop: Loop<Metrics, Own>,
  afterwards?: Afterwards<Own>,
): TrainRun<Metrics> {
  const { onStep } = request.inputs;
  return new Run({
    work: (control: TrainControl<Metrics>) => train(request, loop, afterwards, control),
    onEvent: (event) => {
      if (event.type === "step") onStep?.(event);
    },
  });
}

async function train<Metrics extends SharedMetrics, Own>(
  request: OpenWorkplace<Metrics, Own>,
  loop: Loop<Metrics, Own>,
  afterwards: Afterwards<Own> | undefined,
  control: TrainControl<Metrics>,
): Promise<TrainResult<Metrics>> {
  const place = await openWorkplace(request, control);
  const { folder, steps } = place;
  const { settings, inputs, command } = request;
  const clock = inputs.clock ?? systemClock;
  const { logEvery } = settings;
  const log = new StepLog<Metrics>({ clock, control, writer: folder.metrics, logEvery, steps });
  const between = new BetweenSteps<Metrics>({ command, settings, place, log, control, clock });
  const warn = (message: string) => control.emit({ type: "warning", message });
  const start = { folder: folder.folder, resumedFrom: place.earlier?.record.step };
  const sink = guardedSink(inputs.metricsSink, start, warn);
  folder.metrics.follow((line) => sink.write(line));
  try {
    control.emit(startEvent(request, place));
    await loop(place, log, between);
    inputs.signal?.throwIfAborted();
    const result = await saveResult({ place, log, between, control, afterwards });
    await guardedReport(inputs.report, folder.folder, warn);
    return result;
  } catch (thrown) {
    // Who aborts with an error of ours says what failed, whatever the work made of it.
    const reason: unknown = inputs.signal?.reason;
    const error = reason instanceof AttuneError ? reason : thrown;
    endWithError(folder, log.done, error, inputs.signal);
    if (log.done > 0) await guardedReport(inputs.report, folder.folder, warn);
    throw error;
  } finally {
    sink.close();
    await place.close();
  }
}

function startEvent<Metrics extends SharedMetrics, Own>(
  { command, settings: { output } }: OpenWorkplace<Metrics, Own>,
  { counts, steps, model, evaluationCount, earlier }: Place,
) {
  return {
    type: "start",
    command,
    rows: counts,
    steps,
    parameters: model.parameters,
    trainableParameters: model.trainableParameters,
    output,
    evalRows: evaluationCount,
    resumedFrom: earlier?.record.step,
  } as const;
}

interface Finished<Metrics extends SharedMetrics, Own> {
  readonly place: Place & Own;
  readonly log: StepLog<Metrics>;
  readonly between: BetweenSteps<Metrics>;
  readonly control: TrainControl<Metrics>;
  readonly afterwards: Afterwards<Own> | undefined;
}

async function saveResult<Metrics extends SharedMetrics, Own>(
  finished: Finished<Metrics, Own>,
): Promise<TrainResult<Metrics>> {
  const { place, log, between, control, afterwards } = finished;
  const { folder, steps, model, counts } = place;
  const { totals } = log;
  if (totals === undefined) throw new Error("a run without a step");
  const status = log.done >= steps || between.endedEarly !== undefined ? "done" : "interrupted";
  const bestStep = status === "done" ? await between.finish() : undefined;
  const details = status === "done" ? ((await afterwards?.(place)) ?? between.details) : undefined;
  await model.save(folder.modelFolder);
  control.emit({ type: "saved", folder: folder.modelFolder });
  if (between.failure !== undefined) throw between.failure;
  const { first, last } = totals;
  const seconds = totals.milliseconds / 1000;
  const { evaluation, checkpoint, endedEarly } = between;
  const summary = { first, last, seconds, checkpoint, evaluation, bestStep, endedEarly, details };
  folder.finish(status, log.done, summary);
  if (status === "done") await between.done();
  return {
    status,
    output: folder.folder,
    model: folder.modelFolder,
    steps: log.done,
    rows: counts,
    ...summary,
  };
}

/**
 * A cancelled or stopped run counts as interrupted, anything else as failed: also what an AttuneError aborted. A disk that refuses this last record as
 * well must not hide what ended the run.
 */
function endWithError(
  folder: RunFolder,
  done: number,
  error: unknown,
  signal: AbortSignal | undefined,
): void {
  const stopped = error instanceof AttuneError && error.code === "ATTUNE_ABORTED";
  const cancelled = signal?.aborted === true && !(signal.reason instanceof AttuneError);
  try {
    if (cancelled || stopped) folder.finish("interrupted", done);
    else folder.failed(done, error);
  } catch {
    // run.json keeps saying "running", as after a crash.
  }
}
