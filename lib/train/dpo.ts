// Direct preference optimisation: raises the chosen side's log-prob over the rejected one's, measured against a frozen
// copy of the model. One linear loop; the mathematics is native. Must not import another trainer's loop.

import { join } from "node:path";
import { type PackedBatch, packStep, type TokenisedRows } from "../data/index.js";
import type { FrozenModel } from "../engine/contract.js";
import { type DpoSettings, type DpoSettingsInput, dpoLearningRates, dpoOptions } from "../options/index.js";
import { pairLabels, rowWeights } from "./batch-columns.js";
import type { BetweenSteps } from "./between-steps.js";
import { evaluateRows, evaluationKeys } from "./evaluation.js";
import { referenceKey } from "./fingerprint.js";
import { type DpoMetrics, MetricSums } from "./metrics.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { addPairSums, type PairSum, pairMetrics } from "./pair-metrics.js";
import { Reference } from "./reference.js";
import { ReferenceCache } from "./reference-cache.js";
import { type RunInputs, separateInputs, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import type { StepLog } from "./step-log.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/dpo.md, and what the run works on. */
export type DpoOptions = Omit<DpoSettingsInput, "model" | "data" | "evalData"> & RunInputs<DpoMetrics>;

type Settings = DpoSettings & SharedSettings;

/**
 * Trains a model on preference pairs against a frozen copy of its own start.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function dpo(options: DpoOptions): TrainRun<DpoMetrics> {
  const { inputs, values } = separateInputs<DpoMetrics>({ ...options });
  const command = "dpo";
  const rates = dpoLearningRates;
  const settings = resolveSettings({ command, schema: dpoOptions, inputs, values, rates });
  const { format, ties, truncate, cache } = settings;
  return startTraining(
    {
      command,
      schema: dpoOptions,
      settings,
      inputs,
      rows: { task: "preference", format, ties, overLength: truncate ? "truncate" : "drop" },
      lengthGiven: values.maxLength !== undefined,
      cacheFolder: cache === "off" ? undefined : cache,
      snapshots: 1,
    },
    (place, log, between) => loop(place, settings, log, between),
  );
}

async function loop(
  place: Workplace,
  settings: Settings,
  log: StepLog<DpoMetrics>,
  between: BetweenSteps<DpoMetrics>,
): Promise<void> {
  const { model, data, evaluation, job } = place;
  const { microBatchTokens, weightDecay, maxGradNorm } = settings;
  // Before `begin`, which may put later weights into the model: the reference is the start.
  const frozen = await model.snapshot();
  let cache: ReferenceCache | undefined;
  try {
    cache = openCache(place, settings, frozen);
    const reference = new Reference({ model: frozen, data, cache, job });
    const measured = evaluation ?? [];
    const measuredReference = new Reference({ model: frozen, data: measured, cache, job });
    await between.begin(() => evaluate(place, settings, measured, measuredReference));
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const batches = packStep({ data, rows, microBatchTokens });
      const sums = new MetricSums<PairSum>();
      for (const batch of batches) {
        const loss = await pairLoss(batch, { data, settings, reference, normaliser: rows.length });
        const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
        addPairSums(sums, { batch, result, reference: loss.reference, beta: settings.beta });
      }
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
      if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
      log.finish(epoch, { ...pairMetrics(sums), learning_rate: learningRate, grad_norm: gradNorm });
      if (await between.after(planned)) return;
    }
  } finally {
    cache?.close();
    await frozen.dispose();
  }
}

interface PairLoss {
  readonly data: TokenisedRows;
  readonly settings: Settings;
  readonly reference: Reference;
  /** Pairs of the whole step or evaluation. */
  readonly normaliser: number;
}

async function pairLoss(batch: PackedBatch, { data, settings, reference, normaliser }: PairLoss) {
  return {
    kind: "dpo",
    normaliser,
    beta: settings.beta,
    labelSmoothing: settings.labelSmoothing,
    reference: await reference.logprobs(batch),
    weights: rowWeights(data, batch),
    labels: pairLabels(data, batch),
  } as const;
}

/** The same loss on the evaluation pairs. */
async function evaluate(
  { model, job }: Workplace,
  settings: Settings,
  data: TokenisedRows,
  reference: Reference,
) {
  const { beta, microBatchTokens } = settings;
  const sums = new MetricSums<PairSum>();
  await evaluateRows({
    model,
    rows: data,
    microBatchTokens,
    job,
    lossOf: (batch) => pairLoss(batch, { data, settings, reference, normaliser: data.length }),
    add: (batch, loss, result) => {
      if (loss.kind === "dpo") addPairSums(sums, { batch, result, reference: loss.reference, beta });
    },
  });
  return evaluationKeys(pairMetrics(sums));
}

/** In the run's folder, or a shared one; undefined when switched off. A new adapter's reference is that of its base. */
function openCache(
  place: Workplace,
  { cache }: Settings,
  reference: FrozenModel,
): ReferenceCache | undefined {
  if (cache === "off") return undefined;
  const folder = cache ?? join(place.folder.folder, "reference");
  return ReferenceCache.open({ folder, key: referenceKey(place.startHash, reference) });
}
