// Reward models: a head on the trunk learns to score answers as people judged them. One linear loop; the mathematics is
// native. Must not import another trainer's loop.

import { type PackedBatch, packStep, type TokenisedRows } from "../data/index.js";
import {
  type RewardSettings,
  type RewardSettingsInput,
  rewardLearningRates,
  rewardOptions,
} from "../options/index.js";
import type { BetweenSteps } from "./between-steps.js";
import { evaluateRows, evaluationKeys } from "./evaluation.js";
import { openJudgedRows } from "./judged-rows.js";
import type { RewardMetrics } from "./metrics.js";
import { normaliseScores } from "./normalise-scores.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { batchLoss } from "./reward-loss.js";
import { RewardSums } from "./reward-metrics.js";
import { planReward, type RewardPlan, refuseUnused, rewardRowRules } from "./reward-plan.js";
import { isTieModel } from "./reward-rows.js";
import { type RunInputs, separateInputs, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import type { StepLog } from "./step-log.js";
import { TieParameter } from "./tie-parameter.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/reward.md, and what the run works on. */
export type RewardOptions = Omit<RewardSettingsInput, "model" | "data" | "evalData" | "referenceData"> &
  RunInputs<RewardMetrics> & {
    /** Files of prompt-completion rows whose scores get mean 0. Default: the best answers of the training rows. */
    readonly referenceData?: string | readonly string[];
  };

type Settings = RewardSettings & SharedSettings;

/** What a run knows once its rows are read. */
interface RewardRun {
  readonly settings: Settings;
  readonly plan: RewardPlan;
  readonly tie: TieParameter | undefined;
}

/**
 * Trains a model to score answers, on pairs, rankings, the best of several, or ratings.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function reward(options: RewardOptions): TrainRun<RewardMetrics> {
  const { inputs, values } = separateInputs<RewardMetrics>({ ...options });
  const command = "reward";
  const rates = rewardLearningRates;
  const resolved = resolveSettings({ command, schema: rewardOptions, inputs, values, rates });
  // A model that scores answers gives none.
  const settings: Settings = { ...resolved, sampleEvery: 0, samplePrompts: 0, sampleTokens: 0 };
  refuseUnused(settings);
  const { headInit, heads, axis, seed } = settings;
  let run: RewardRun | undefined;
  const known = () => {
    if (run === undefined) throw new Error("a loop without rows");
    return run;
  };
  return startTraining(
    {
      command,
      schema: rewardOptions,
      settings,
      inputs,
      scoring: { init: headInit, heads, usualHeads: axis?.length ?? 1, seed },
      material: (model) =>
        openJudgedRows(
          {
            settings,
            inputs,
            rows: rewardRowRules(settings),
            prepare: async (opened) => {
              const { plan, ...prepared } = await planReward(opened, settings);
              const tie = isTieModel(plan.loss) ? new TieParameter(plan.loss, plan.tieShare) : undefined;
              run = { settings, plan, tie };
              return prepared;
            },
          },
          model,
        ),
      lengthGiven: values.maxLength !== undefined,
      snapshots: 0,
    },
    (place, log, between) => loop(place, known(), log, between),
    (place) => normalise(place, known()),
  );
}

async function loop(
  place: Workplace,
  run: RewardRun,
  log: StepLog<RewardMetrics>,
  between: BetweenSteps<RewardMetrics>,
): Promise<void> {
  const { model, data, job } = place;
  const { settings, plan, tie } = run;
  const { microBatchTokens, weightDecay, maxGradNorm } = settings;
  // Of other weights; losses are of w h alone.
  model.scoreNormalisation = undefined;
  await between.begin(() => evaluate(place, run), tie);
  for (const planned of place.plan()) {
    const { step, epoch, rows } = planned;
    const sums = new RewardSums(plan, "training");
    const eta = tie?.eta;
    let tieSlope = 0;
    for (const batch of packStep({ data, rows, microBatchTokens, score: true })) {
      const loss = lossOf(run, batch, { data, normaliser: rows.length, training: true });
      const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
      sums.add({ data, batch, result });
      tieSlope += result.tieGradient;
    }
    const multiplier = scheduleMultiplier(step, place.schedule);
    const learningRate = settings.learningRate * multiplier;
    const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
    if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
    tie?.update(tieSlope, multiplier);
    const rate = { learning_rate: learningRate, grad_norm: gradNorm };
    log.finish(epoch, { ...sums.metrics(), ...tieMetric(eta), ...rate });
    if (await between.after(planned)) break;
  }
  if (plan.reference !== undefined && log.done < place.steps && between.endedEarly === undefined)
    place.warn("The scores of the saved model are not normalised: that is done when the run ends by itself.");
}

interface LossRows {
  readonly data: TokenisedRows;
  readonly normaliser: number;
  readonly training: boolean;
}

function lossOf({ plan, tie }: RewardRun, batch: PackedBatch, rows: LossRows) {
  return batchLoss({ plan, batch, tieParameter: tie?.eta ?? 0, ...rows });
}

function tieMetric(eta: number | undefined): { readonly tie_parameter?: number } {
  return eta === undefined ? {} : { tie_parameter: eta };
}

/** The same loss on the evaluation rows, every row counted once by every head. */
async function evaluate({ model, evaluation, job }: Workplace, run: RewardRun) {
  const { microBatchTokens } = run.settings;
  const sums = new RewardSums(run.plan, "evaluation");
  const data = evaluation ?? [];
  const rows = { data, normaliser: data.length, training: false };
  await evaluateRows({
    model,
    rows: data,
    microBatchTokens,
    score: true,
    job,
    lossOf: async (batch) => lossOf(run, batch, rows),
    add: (batch, _, result) => sums.add({ data, batch, result }),
  });
  return evaluationKeys({ ...sums.metrics(), ...tieMetric(run.tie?.eta) });
}

/** Sets where the scores lie, and says what else was learned beside the weights. */
async function normalise({ model, job }: Workplace, { settings, plan, tie }: RewardRun) {
  const { normalise: mode, microBatchTokens } = settings;
  const { reference: rows, loss, axes, scales } = plan;
  const normalisation =
    rows === undefined || mode === "none"
      ? undefined
      : await normaliseScores({ model, rows, mode, microBatchTokens, job });
  return {
    loss,
    ...(normalisation === undefined ? {} : { scoreNormalisation: normalisation }),
    ...(tie === undefined ? {} : { tieParameter: tie.eta }),
    ...(axes === undefined ? {} : { headAxes: axes }),
    ...(scales.size === 0 ? {} : { ratings: Object.fromEntries(scales) }),
  };
}
