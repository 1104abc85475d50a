// RLOO: REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024, arXiv 2402.14740). Several answers to each prompt are
// scored, less a KL penalty, and each is compared with the mean of the others. One linear loop.
// Must not import another trainer's loop.

import {
  groupLearningRates,
  type RlooSettings,
  type RlooSettingsInput,
  rlooOptions,
} from "../options/index.js";
import {
  leaveOneOutAdvantages,
  type Numbers,
  objectiveMetrics,
  ofTokens,
  penalisedScores,
  type Rollout,
} from "../rollout/index.js";
import type { RlooMetrics } from "./metrics.js";
import { type OnlineLoop, OnlineRun, onlineWorkplace } from "./online/online-run.js";
import { type OnlineInputs, separateOnline } from "./online/online-settings.js";
import { checkReference } from "./online/option-needs.js";
import { policyParts } from "./online/policy-loss.js";
import { answerRows } from "./online/policy-pass.js";
import { checkMinibatches, clipMetrics, policyMetrics, policyUpdate } from "./online/policy-update.js";
import { promptsAt } from "./online/rollouts.js";
import type { TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import { startTraining } from "./training.js";

/** Numbers by their defaults in docs/cli/rloo.md, and what the run works on. */
export type RlooOptions = Omit<RlooSettingsInput, "model" | "data" | "evalData" | "reference"> &
  OnlineInputs<RlooMetrics>;

type Settings = RlooSettings & SharedSettings;

/**
 * Trains a policy on rewards of several answers of its own to each prompt, each against the mean of the others.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function rloo(options: RlooOptions): TrainRun<RlooMetrics> {
  const separated = separateOnline<RlooMetrics>({ ...options });
  const { inputs, values } = separated;
  const command = "rloo";
  const rates = groupLearningRates;
  const settings = resolveSettings({ command, schema: rlooOptions, inputs, values, rates });
  const compares = settings.beta > 0;
  checkMinibatches(settings, settings.batchSize * settings.samples, "answers");
  checkReference({ settings, compares, evaluates: inputs.evalData !== undefined });
  const request = { command, schema: rlooOptions, compares, settings, separated };
  return startTraining(onlineWorkplace(request), (place, log, between) =>
    loop({ place, settings, log, between, now: inputs.clock?.now }),
  );
}

async function loop({
  place,
  settings,
  log,
  between,
  now = () => performance.now(),
}: OnlineLoop<Settings, RlooMetrics>): Promise<void> {
  const { model, job } = place;
  const { beta, clipLow, clipHigh, ratio, scaleAdvantages: normalise } = settings;
  let run: OnlineRun | undefined;
  try {
    run = await OnlineRun.open({ place, settings, between, compares: beta > 0, now });
    // Beside the weights there is nothing to keep.
    await run.begin({ save: () => null, restore: () => undefined });
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const next = await run.next(step);
      const { rollout, scores } = next;
      const { samples } = rollout;
      const rewards = rewardsOf(rollout, scores, beta);
      const ofAnswers = leaveOneOutAdvantages({ rewards, samples, normalise });
      const advantages = ratio === "sequence" ? ofAnswers : ofTokens(rollout.starts, ofAnswers);
      const startLogprobs = await run.startLogprobs(next);
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const updated = await policyUpdate({
        model,
        rollout,
        data: answerRows(rollout, promptsAt(place.prompts, rows)),
        // Divided by answers whatever has the ratio: on policy both give each token of an answer -A / answers.
        lossOf: (batch, counts) => ({
          ...policyParts(batch, { rollout, advantages, startLogprobs, counts, mean: "row", ratio }),
          form: "clip",
          clipLow,
          clipHigh,
        }),
        settings,
        learningRate,
        job,
        step: step + 1,
        onProgress: (done, total) => run?.progress(done, total),
      });
      run.took(updated.gradNorms.length);
      log.finish(epoch, {
        ...policyMetrics(updated),
        ...clipMetrics(updated),
        ...penaltyMetrics(rollout, scores, beta),
        ...run.metrics(next),
        learning_rate: learningRate,
      });
      if (await between.after(planned)) return;
    }
  } finally {
    await run?.dispose();
  }
}

/** [samples] what answers are compared by: their scores, less beta times the KL of each. */
function rewardsOf({ starts, logprobs, referenceLogprobs }: Rollout, scores: Numbers, coefficient: number) {
  if (coefficient === 0) return scores;
  if (referenceLogprobs === undefined) throw new Error("a rollout without a reference");
  return penalisedScores({ starts, scores, coefficient, logprobs, referenceLogprobs });
}

function penaltyMetrics(
  { starts, logprobs, referenceLogprobs }: Rollout,
  scores: Numbers,
  coefficient: number,
) {
  if (referenceLogprobs === undefined) return {};
  return objectiveMetrics({ starts, scores, coefficient, estimator: "k1", logprobs, referenceLogprobs });
}
