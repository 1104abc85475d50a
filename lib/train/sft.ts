// Supervised fine-tuning: raises the log-probs of demonstrations. One linear loop; the mathematics is native.
// Must not import another trainer's loop.

import { packStep } from "../data/index.js";
import { type SftSettings, type SftSettingsInput, sftLearningRates, sftOptions } from "../options/index.js";
import { rowWeights, targetsOf } from "./batch-columns.js";
import type { BetweenSteps } from "./between-steps.js";
import { evaluateRows, evaluationKeys, targetsOfAll } from "./evaluation.js";
import { openJudgedRows } from "./judged-rows.js";
import { MetricSums, type SftMetrics } from "./metrics.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { type RunInputs, separateInputs, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import type { StepLog } from "./step-log.js";
import { addTokenSums, type TokenSum, tokenMetrics } from "./token-metrics.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/sft.md, and what the run works on. */
export type SftOptions = Omit<SftSettingsInput, "model" | "data" | "evalData"> & RunInputs<SftMetrics>;

type Settings = SftSettings & SharedSettings;

/**
 * Trains a model on demonstrations: prompt-completion, text, messages or preference rows (prompt and chosen).
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function sft(options: SftOptions): TrainRun<SftMetrics> {
  const { inputs, values } = separateInputs<SftMetrics>({ ...options });
  const command = "sft";
  const rates = sftLearningRates;
  const settings = resolveSettings({ command, schema: sftOptions, inputs, values, rates });
  const { format, assistantOnly } = settings;
  const rows = { task: "sft", format, ...(assistantOnly === undefined ? {} : { assistantOnly }) } as const;
  return startTraining(
    {
      command,
      schema: sftOptions,
      settings,
      inputs,
      material: (opened) => openJudgedRows({ settings, inputs, rows }, opened),
      lengthGiven: values.maxLength !== undefined,
      snapshots: 0,
    },
    (place, log, between) => loop(place, settings, log, between),
  );
}

async function loop(
  place: Workplace,
  settings: Settings,
  log: StepLog<SftMetrics>,
  between: BetweenSteps<SftMetrics>,
): Promise<void> {
  const { model, data, job } = place;
  const { microBatchTokens, weightDecay, maxGradNorm } = settings;
  await between.begin(() => evaluate(place, settings));
  for (const planned of place.plan()) {
    const { step, epoch, rows } = planned;
    const batches = packStep({ data, rows, microBatchTokens });
    // Targets of the whole step, so that a token weighs the same in whatever micro-batch it lies.
    const normaliser = targetsOf(batches);
    const sums = new MetricSums<TokenSum>();
    for (const batch of batches) {
      const loss = { kind: "nll", normaliser, weights: rowWeights(data, batch) } as const;
      const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
      addTokenSums(sums, batch, result);
    }
    const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
    const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
    if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
    log.finish(epoch, { ...tokenMetrics(sums), learning_rate: learningRate, grad_norm: gradNorm });
    if (await between.after(planned)) return;
  }
}

/** The same loss on the evaluation rows, divided by all their targets. */
async function evaluate({ model, evaluation, job }: Workplace, { microBatchTokens }: Settings) {
  const sums = new MetricSums<TokenSum>();
  const rows = evaluation ?? [];
  const normaliser = targetsOfAll(rows);
  await evaluateRows({
    model,
    rows,
    microBatchTokens,
    job,
    lossOf: async (batch) => ({ kind: "nll", normaliser, weights: rowWeights(rows, batch) }),
    add: (batch, _, result) => addTokenSums(sums, batch, result),
  });
  return evaluationKeys(tokenMetrics(sums));
}
