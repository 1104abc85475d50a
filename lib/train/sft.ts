// Supervised fine-tuning: raises the log-probs of demonstrations. One linear loop; the mathematics is native.
// Must not import another trainer's loop.

import { packStep } from "../data/index.js";
import { checkOptions, type SftSettings, type SftSettingsInput, sftOptions } from "../options/index.js";
import { rowWeights, targetsOf } from "./batch-columns.js";
import { loadedModelOptions } from "./loaded-model.js";
import { MetricSums, type SftMetrics } from "./metrics.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { type RunInputs, separateInputs, type TrainControl, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import type { StepLog } from "./step-log.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/sft.md, and what the run works on. */
export type SftOptions = Omit<SftSettingsInput, "model" | "data"> & RunInputs<SftMetrics>;

/**
 * Trains a model on demonstrations: prompt-completion, text or preference rows (prompt and chosen).
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function sft(options: SftOptions): TrainRun<SftMetrics> {
  const { inputs, values } = separateInputs<SftMetrics>({ ...options });
  loadedModelOptions("sft", inputs.model, values);
  const settings = checkOptions({ schema: sftOptions, command: "sft", values });
  return startTraining(
    {
      command: "sft",
      schema: sftOptions,
      settings,
      inputs,
      rows: { task: "sft", format: settings.format },
      lengthGiven: values.maxLength !== undefined,
      snapshots: 0,
    },
    (place, log, control) => loop(place, settings, log, control),
  );
}

async function loop(
  place: Workplace,
  settings: SftSettings,
  log: StepLog<SftMetrics>,
  control: TrainControl<SftMetrics>,
): Promise<void> {
  const { model, data, job } = place;
  log.start();
  for (const { step, epoch, rows } of place.plan()) {
    const batches = packStep({ data, rows, microBatchTokens: settings.microBatchTokens });
    // Targets of the whole step, so that a token weighs the same in whatever micro-batch it lies.
    const normaliser = targetsOf(batches);
    const sums = new MetricSums<"loss" | "entropy" | "correct" | "tokens" | "computed">();
    for (const batch of batches) {
      const loss = { kind: "nll", normaliser, weights: rowWeights(data, batch) } as const;
      const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
      sums.add("loss", result.loss, 1);
      sums.add("tokens", batch.counts.tokens, 1);
      sums.add("computed", result.trunkRows, 1);
      for (const completion of result.completions) {
        sums.add("entropy", completion.entropy, completion.count);
        sums.add("correct", completion.correct, completion.count);
      }
    }
    const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
    const { weightDecay, maxGradNorm } = settings;
    const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
    if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
    log.finish(epoch, {
      loss: sums.sum("loss"),
      learning_rate: learningRate,
      grad_norm: gradNorm,
      entropy: sums.mean("entropy"),
      mean_token_accuracy: sums.mean("correct"),
      tokens: sums.sum("tokens"),
      tokens_computed: sums.sum("computed"),
    });
    if (control.stopping) return;
  }
}
