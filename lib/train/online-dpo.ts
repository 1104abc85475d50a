// Online DPO and its kin (Guo et al. 2024, arXiv 2402.04792): the policy answers each prompt several times, the best and the worst
// answer by score make a pair, and a loss of pairs learns from it. One linear loop.
// Must not import another trainer's loop.

import { packStep, type TokenisedRows } from "../data/index.js";
import {
  type DpoLossName,
  groupLearningRates,
  type OnlineDpoSettings,
  type OnlineDpoSettingsInput,
  onlineDpoOptions,
} from "../options/index.js";
import { meanAnswerKl, minibatchesOf, type Rollout } from "../rollout/index.js";
import { batchLoss, findFacts } from "./dpo-batches.js";
import { type LossPlan, planLosses, rewardOf } from "./dpo-losses.js";
import { MetricSums, type OnlineDpoMetrics } from "./metrics.js";
import { finiteStep } from "./not-finite.js";
import { type AnswerPairs, answerPairs } from "./online/answer-pairs.js";
import { type OnlineLoop, OnlineRun, onlineWorkplace } from "./online/online-run.js";
import { type OnlineInputs, separateOnline } from "./online/online-settings.js";
import { checkReference } from "./online/option-needs.js";
import { answerRows } from "./online/policy-pass.js";
import { checkMinibatches, meanOf, optimise, type UpdatePlace } from "./online/policy-update.js";
import { promptsAt } from "./online/rollouts.js";
import { addPairSums, type PairSum, pairMetrics } from "./pair-metrics.js";
import { Reference } from "./reference.js";
import type { TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import { startTraining } from "./training.js";

/** Numbers by their defaults in docs/cli/online-dpo.md, and what the run works on. */
export type OnlineDpoOptions = Omit<
  OnlineDpoSettingsInput,
  "model" | "data" | "evalData" | "reference" | "loss" | "lossWeights"
> &
  OnlineInputs<OnlineDpoMetrics> & {
    /** Losses of pairs. */
    readonly loss?: PairLossName | readonly PairLossName[] | undefined;
    readonly lossWeights?: number | readonly number[] | undefined;
  };

type PairLossName = Exclude<DpoLossName, "plackett-luce" | "all-pairs" | "best-of-k">;
type Settings = OnlineDpoSettings & SharedSettings;

/**
 * Trains a policy on pairs of its own answers, of which the rewards say which is better. Returns at once; the run goes on by
 * itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function onlineDpo(options: OnlineDpoOptions): TrainRun<OnlineDpoMetrics> {
  const separated = separateOnline<OnlineDpoMetrics>({ ...options });
  const { inputs, values } = separated;
  const command = "online-dpo";
  const rates = groupLearningRates;
  const resolved = resolveSettings({ command, schema: onlineDpoOptions, inputs, values, rates });
  const plan = planLosses(resolved);
  const settings = { ...resolved, ...plan.values };
  const { reference: compares } = plan;
  checkMinibatches(settings, settings.batchSize, "prompts");
  checkReference({ settings, compares, evaluates: inputs.evalData !== undefined });
  const request = { command, schema: onlineDpoOptions, compares, settings, separated, answersTogether: 2 };
  return startTraining(onlineWorkplace(request), (place, log, between) =>
    loop({ place, settings, plan, log, between, now: inputs.clock?.now }),
  );
}

async function loop({
  place,
  settings,
  plan,
  log,
  between,
  now = () => performance.now(),
}: OnlineLoop<Settings, OnlineDpoMetrics> & { readonly plan: LossPlan }): Promise<void> {
  const { model, job } = place;
  const { reference: compares } = plan;
  // At another temperature than 1 the losses need log-probs of their own, and those of rollouts only tell the KL.
  const measures = compares && (settings.temperature === 1 || place.evaluation === undefined);
  let run: OnlineRun | undefined;
  try {
    run = await OnlineRun.open({ place, settings, between, compares, measures, now });
    // Beside the weights there is nothing to keep.
    await run.begin({ save: () => null, restore: () => undefined });
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const next = await run.next(step);
      const { rollout, scores } = next;
      const data = answerRows(rollout, promptsAt(place.prompts, rows));
      const pairs = answerPairs({ rollout, scores, data });
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const { reference: frozen } = run;
      const updated = await updateOnPairs({
        model,
        data: pairs.rows,
        number: rollout.number,
        plan,
        reference:
          compares && frozen !== undefined
            ? new Reference({ model: frozen, data: pairs.rows, cache: undefined, job })
            : undefined,
        settings,
        learningRate,
        job,
        step: step + 1,
        onProgress: (done, total) => run?.progress(done, total),
      });
      run.took(updated.gradNorms.length);
      log.finish(epoch, {
        ...updateMetrics(updated, plan),
        ...countMetrics(pairs),
        ...klMetrics(rollout),
        ...run.metrics(next),
        learning_rate: learningRate,
      });
      if (await between.after(planned)) return;
    }
  } finally {
    await run?.dispose();
  }
}

interface PairUpdate extends UpdatePlace {
  /** A row per pair. */
  readonly data: TokenisedRows;
  /** Of the rollout. */
  readonly number: number;
  readonly plan: LossPlan;
  readonly reference: Reference | undefined;
}

interface PairUpdateSums {
  readonly sums: MetricSums<PairSum>;
  readonly minibatches: number;
  /** [optimiser steps] norms before clipping. */
  readonly gradNorms: readonly number[];
}

/** Epochs of minibatches over the pairs; none where there is no pair. Throws ATTUNE_NOT_FINITE. */
async function updateOnPairs(update: PairUpdate): Promise<PairUpdateSums> {
  const { model, data, number: rollout, plan, reference, settings, job, step, onProgress } = update;
  const { updateEpochs: epochs, seed, microBatchTokens } = settings;
  const { length: samples } = data;
  // Ties may leave fewer pairs than there should be minibatches.
  const minibatches = Math.min(settings.minibatches, samples);
  const sums = new MetricSums<PairSum>();
  const gradNorms: number[] = [];
  const parts = samples === 0 ? [] : minibatchesOf({ samples, rollout, epochs, minibatches, seed });
  for (const { rows } of parts) {
    const batches = packStep({ data, rows, microBatchTokens });
    const facts = await findFacts({ plan, model, batches, count: rows.length, reference, job });
    sums.add("computed", facts.trunkRows, 1);
    for (const batch of batches) {
      const loss = await batchLoss(batch, { plan, data, reference, facts });
      const result = await finiteStep({ model, batch, loss, job, step, data });
      addPairSums(sums, { batch, result, rewardOf: rewardOf(plan), reference: loss.reference });
    }
    gradNorms.push(await optimise(update, rows));
    onProgress(gradNorms.length, epochs * minibatches);
  }
  return { sums, minibatches: gradNorms.length, gradNorms };
}

/** Means over the pairs and the minibatches of a step; without a pair they are missing. */
function updateMetrics({ sums, minibatches, gradNorms }: PairUpdateSums, plan: LossPlan) {
  const counted = { grad_norm: meanOf(gradNorms), optimizer_steps: gradNorms.length };
  if (minibatches === 0) return { loss: 0, tokens: 0, tokens_computed: 0, ...counted };
  const metrics = pairMetrics(sums, plan);
  return { ...metrics, loss: metrics.loss / minibatches, ...counted };
}

function countMetrics({ rows, ties, unscored, margin }: AnswerPairs) {
  return {
    "count/pairs": rows.length,
    "count/ties": ties,
    ...(unscored === 0 ? {} : { "count/unscored": unscored }),
    ...(margin === undefined ? {} : { "objective/scores_margin": margin }),
  };
}

/** At the temperature of sampling. */
function klMetrics({ starts, logprobs, referenceLogprobs }: Rollout) {
  if (referenceLogprobs === undefined) return {};
  return { "objective/kl": meanAnswerKl({ starts, logprobs, referenceLogprobs }) };
}
