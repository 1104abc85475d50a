// Wraps a loop: opens its workplace, starts its log, saves the model, and writes how the run ended.
// Must not know an algorithm.

import type { SharedMetrics } from "./metrics.js";
import { Run } from "./run.js";
import type { RunFolder } from "./run-folder.js";
import { systemClock, type TrainControl, type TrainResult, type TrainRun } from "./run-types.js";
import { StepLog } from "./step-log.js";
import { type OpenWorkplace, openWorkplace, type Workplace } from "./workplace.js";

/** An algorithm: takes steps until the plan ends or `control.stopping` is true. */
export type Loop<Metrics extends SharedMetrics> = (
  place: Workplace,
  log: StepLog<Metrics>,
  control: TrainControl<Metrics>,
) => Promise<void>;

/** Starts a run around a loop; returns at once. */
export function startTraining<Metrics extends SharedMetrics>(
  request: OpenWorkplace<Metrics>,
  loop: Loop<Metrics>,
): TrainRun<Metrics> {
  const { onStep } = request.inputs;
  return new Run({
    work: (control: TrainControl<Metrics>) => train(request, loop, control),
    onEvent: (event) => {
      if (event.type === "step") onStep?.(event);
    },
  });
}

async function train<Metrics extends SharedMetrics>(
  request: OpenWorkplace<Metrics>,
  loop: Loop<Metrics>,
  control: TrainControl<Metrics>,
): Promise<TrainResult<Metrics>> {
  const place = await openWorkplace(request);
  const { folder, steps, model } = place;
  const { settings, inputs, command } = request;
  const clock = inputs.clock ?? systemClock;
  const log = new StepLog<Metrics>({
    clock,
    control,
    writer: folder.metrics,
    logEvery: settings.logEvery,
    steps,
  });
  try {
    const { parameters } = model;
    const { output } = settings;
    control.emit({ type: "start", command, rows: place.counts, steps, parameters, output });
    await loop(place, log, control);
    inputs.signal?.throwIfAborted();
    const { first, last } = log;
    if (first === undefined || last === undefined) throw new Error("a run without a step");
    await model.save(folder.modelFolder);
    control.emit({ type: "saved", folder: folder.modelFolder });
    const status = log.done === steps ? "done" : "interrupted";
    const { seconds } = log;
    folder.finish(status, log.done, { first, last, seconds });
    const rows = place.counts;
    return { status, output, model: folder.modelFolder, steps: log.done, rows, first, last, seconds };
  } catch (error) {
    endWithError(folder, log.done, error, inputs.signal);
    throw error;
  } finally {
    await place.close();
  }
}

/**
 * A cancelled run counts as interrupted, anything else as failed. A disk that refuses this last record as well must not
 * hide what ended the run.
 */
function endWithError(
  folder: RunFolder,
  done: number,
  error: unknown,
  signal: AbortSignal | undefined,
): void {
  try {
    if (signal?.aborted) folder.finish("interrupted", done);
    else folder.failed(done, error);
  } catch {
    // run.json keeps saying "running", as after a crash.
  }
}
