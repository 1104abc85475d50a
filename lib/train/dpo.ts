// Direct preference optimisation: raises the chosen side's log-prob over the rejected one's, measured against a frozen
// copy of the model. One linear loop; the mathematics is native. Must not import another trainer's loop.

import { join } from "node:path";
import { packStep } from "../data/index.js";
import { checkOptions, type DpoSettings, type DpoSettingsInput, dpoOptions } from "../options/index.js";
import { pairLabels, rowWeights } from "./batch-columns.js";
import { referenceKey } from "./fingerprint.js";
import { loadedModelOptions } from "./loaded-model.js";
import { type DpoMetrics, MetricSums } from "./metrics.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { addPairSums, type PairSum, pairMetrics } from "./pair-metrics.js";
import { Reference } from "./reference.js";
import { ReferenceCache } from "./reference-cache.js";
import { type RunInputs, separateInputs, type TrainControl, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import type { StepLog } from "./step-log.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/dpo.md, and what the run works on. */
export type DpoOptions = Omit<DpoSettingsInput, "model" | "data"> & RunInputs<DpoMetrics>;

/**
 * Trains a model on preference pairs against a frozen copy of its own start.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function dpo(options: DpoOptions): TrainRun<DpoMetrics> {
  const { inputs, values } = separateInputs<DpoMetrics>({ ...options });
  loadedModelOptions("dpo", inputs.model, values);
  const settings = checkOptions({ schema: dpoOptions, command: "dpo", values });
  return startTraining(
    {
      command: "dpo",
      schema: dpoOptions,
      settings,
      inputs,
      rows: { task: "preference", overLength: settings.truncate ? "truncate" : "drop" },
      lengthGiven: values.maxLength !== undefined,
      cacheFolder: settings.cache === "off" ? undefined : settings.cache,
      snapshots: 1,
    },
    (place, log, control) => loop(place, settings, log, control),
  );
}

async function loop(
  place: Workplace,
  settings: DpoSettings,
  log: StepLog<DpoMetrics>,
  control: TrainControl<DpoMetrics>,
): Promise<void> {
  const { model, data, job } = place;
  const frozen = await model.snapshot();
  let cache: ReferenceCache | undefined;
  try {
    cache = await openCache(place, settings);
    const reference = new Reference({ model: frozen, data, cache, job });
    log.start();
    for (const { step, epoch, rows } of place.plan()) {
      const batches = packStep({ data, rows, microBatchTokens: settings.microBatchTokens });
      const sums = new MetricSums<PairSum>();
      for (const batch of batches) {
        const loss = {
          kind: "dpo",
          normaliser: rows.length,
          beta: settings.beta,
          labelSmoothing: settings.labelSmoothing,
          reference: await reference.logprobs(batch),
          weights: rowWeights(data, batch),
          labels: pairLabels(data, batch),
        } as const;
        const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
        addPairSums(sums, { batch, result, reference: loss.reference, beta: settings.beta });
      }
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const { weightDecay, maxGradNorm } = settings;
      const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
      if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
      log.finish(epoch, { ...pairMetrics(sums), learning_rate: learningRate, grad_norm: gradNorm });
      if (control.stopping) return;
    }
  } finally {
    cache?.close();
    await frozen.dispose();
  }
}

/** In the run's folder, or a shared one; undefined when switched off. */
async function openCache(place: Workplace, settings: DpoSettings): Promise<ReferenceCache | undefined> {
  if (settings.cache === "off") return undefined;
  const folder = settings.cache ?? join(place.folder.folder, "reference");
  const weights = await place.startHash({ shared: settings.cache !== undefined });
  return ReferenceCache.open({ folder, key: referenceKey(weights, place.model) });
}
