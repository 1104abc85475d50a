// GRPO: group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300) and its kin: Dr. GRPO, DAPO, GSPO, CISPO. Several
// answers to each prompt are scored, and each is compared with the mean of its group. One linear loop.
// Must not import another trainer's loop.

import type { PackedBatch } from "../data/index.js";
import type { PolicyLoss } from "../engine/contract.js";
import { fail } from "../errors/index.js";
import {
  type GrpoSettings,
  type GrpoSettingsInput,
  groupLearningRates,
  grpoOptions,
} from "../options/index.js";
import { groupAdvantages, type Numbers, ofTokens, type Rollout } from "../rollout/index.js";
import type { GrpoMetrics } from "./metrics.js";
import { type OnlineLoop, OnlineRun, onlineWorkplace } from "./online/online-run.js";
import { type OnlineInputs, separateOnline } from "./online/online-settings.js";
import { checkReference } from "./online/option-needs.js";
import { type MinibatchCounts, policyParts } from "./online/policy-loss.js";
import { answerRows } from "./online/policy-pass.js";
import { checkMinibatches, clipMetrics, policyMetrics, policyUpdate } from "./online/policy-update.js";
import { promptsAt } from "./online/rollouts.js";
import type { TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import { aggregateMeans } from "./term-means.js";
import { startTraining } from "./training.js";

/** Numbers by their defaults in docs/cli/grpo.md, and what the run works on. */
export type GrpoOptions = Omit<GrpoSettingsInput, "model" | "data" | "evalData" | "reference"> &
  OnlineInputs<GrpoMetrics>;

type Settings = GrpoSettings & SharedSettings;

/** Of CISPO (MiniMax-M1, arXiv 2506.13585), where none is given. */
const CISPO_RATIO_CAP = 5;

/**
 * Trains a policy on rewards of several answers of its own to each prompt, each against the mean of its group.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function grpo(options: GrpoOptions): TrainRun<GrpoMetrics> {
  const separated = separateOnline<GrpoMetrics>({ ...options });
  const { inputs, values } = separated;
  const command = "grpo";
  const rates = groupLearningRates;
  const settings = resolveSettings({ command, schema: grpoOptions, inputs, values, rates });
  const compares = settings.beta > 0;
  checkMinibatches(settings, settings.batchSize * settings.samples, "answers");
  checkReference({ settings, compares, evaluates: inputs.evalData !== undefined });
  checkCap(settings);
  const request = { command, schema: grpoOptions, compares, settings, separated };
  return startTraining(onlineWorkplace(request), (place, log, between) =>
    loop({ place, settings, log, between, now: inputs.clock?.now }),
  );
}

/** GRPO's delta bounds ratios that the range above 1 would let grow without end; below that range it would cut it. */
function checkCap({ aggregate, ratioCap, clipHigh }: Settings): void {
  if (aggregate === "cispo" || ratioCap === undefined || ratioCap > 1 + clipHigh) return;
  const text = `Expected ratio-cap above ${1 + clipHigh}, the end of the range of clip-high, but received ${ratioCap}.`;
  throw fail("ATTUNE_OPTION", text, { details: { option: "ratio-cap" } });
}

async function loop({
  place,
  settings,
  log,
  between,
  now = () => performance.now(),
}: OnlineLoop<Settings, GrpoMetrics>): Promise<void> {
  const { model, job } = place;
  const { aggregate, beta, ratio } = settings;
  const scale = settings.scaleRewards ?? (aggregate === "dr_grpo" ? "none" : "group");
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
      const ofAnswers = groupAdvantages({ rewards: scores, samples, scale });
      const advantages = ratio === "sequence" ? ofAnswers : ofTokens(rollout.starts, ofAnswers);
      const startLogprobs = await run.startLogprobs(next);
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const updated = await policyUpdate({
        model,
        rollout,
        data: answerRows(rollout, promptsAt(place.prompts, rows)),
        lossOf: (batch, counts) => lossOf(batch, { settings, rollout, advantages, startLogprobs, counts }),
        settings,
        learningRate,
        job,
        step: step + 1,
        onProgress: (done, total) => run?.progress(done, total),
      });
      run.took(updated.gradNorms.length);
      const { policy } = updated;
      log.finish(epoch, {
        ...policyMetrics(updated),
        ...clipMetrics(updated),
        ...(rollout.referenceLogprobs === undefined ? {} : { kl: policy.kl / Math.max(1, policy.count) }),
        ...run.metrics(next),
        learning_rate: learningRate,
      });
      if (await between.after(planned)) return;
    }
  } finally {
    await run?.dispose();
  }
}

interface LossParts {
  readonly settings: Settings;
  readonly rollout: Rollout;
  readonly advantages: Numbers;
  readonly startLogprobs: Numbers | undefined;
  readonly counts: MinibatchCounts;
}

function lossOf(batch: PackedBatch, { settings, ...parts }: LossParts): PolicyLoss {
  const { aggregate, beta, clipLow, clipHigh, ratioCap } = settings;
  const ratio = settings.ratio === "sequence" ? "sequence-mean" : "token";
  const shared = {
    ...policyParts(batch, { ...parts, mean: aggregateMeans[aggregate], ratio }),
    ...(beta === 0 ? {} : { klWeight: beta, klForm: "k3" as const }),
  };
  if (aggregate === "cispo") return { ...shared, form: "cispo", ratioCap: ratioCap ?? CISPO_RATIO_CAP };
  return { ...shared, form: "clip", clipLow, clipHigh, ...(ratioCap === undefined ? {} : { ratioCap }) };
}
