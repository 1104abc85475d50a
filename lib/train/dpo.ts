// Direct preference optimisation: raises the chosen answer's log-prob over the others', measured against a frozen
// reference. One linear loop; the mathematics is native. Must not import another trainer's loop.

import { packStep } from "../data/index.js";
import type { FrozenModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";
import {
  type DpoLossName,
  type DpoSettings,
  type DpoSettingsInput,
  dpoLearningRates,
  dpoOptions,
} from "../options/index.js";
import type { BetweenSteps } from "./between-steps.js";
import { batchLoss, evaluationBatches, findFacts, type RowsLoss } from "./dpo-batches.js";
import { checkJudgements, type LossPlan, planLosses, rewardOf } from "./dpo-losses.js";
import { evaluateRows, evaluationKeys } from "./evaluation.js";
import { frozenStart, refuseOffloadOf } from "./frozen-start.js";
import { openJudgedRows } from "./judged-rows.js";
import { type DpoMetrics, MetricSums } from "./metrics.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { openReferenceCache } from "./open-reference-cache.js";
import { isTrainable } from "./other-reference.js";
import { addPairSums, type PairSum, pairMetrics } from "./pair-metrics.js";
import { Reference } from "./reference.js";
import type { ReferenceCache } from "./reference-cache.js";
import { type RunInputs, separateInputs, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import type { StepLog } from "./step-log.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/dpo.md, and what the run works on. */
export type DpoOptions = Omit<
  DpoSettingsInput,
  "model" | "data" | "evalData" | "loss" | "lossWeights" | "reference"
> &
  RunInputs<DpoMetrics> & {
    readonly loss?: DpoLossName | readonly DpoLossName[] | undefined;
    readonly lossWeights?: number | readonly number[] | undefined;
    /** A path, or a loaded model of the same vocabulary that stays yours. Default: a frozen copy of the start. */
    readonly reference?: string | FrozenModel | undefined;
  };

type Settings = DpoSettings & SharedSettings;

/**
 * Trains a model on preference pairs or rankings against a frozen reference: its own start, or another model.
 * Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function dpo(options: DpoOptions): TrainRun<DpoMetrics> {
  const { reference, ...others } = options;
  const separated = separateInputs<DpoMetrics>(others);
  const { inputs } = separated;
  const named = typeof reference === "object" ? "(a model in memory)" : reference;
  const values: Readonly<Record<string, unknown>> = { ...separated.values, reference: named };
  const command = "dpo";
  const rates = dpoLearningRates;
  const resolved = resolveSettings({ command, schema: dpoOptions, inputs, values, rates });
  const plan = planLosses(resolved);
  const settings = { ...resolved, ...plan.values, ...(plan.ties === undefined ? {} : { ties: plan.ties }) };
  const { format, truncate, cache, referenceOffload } = settings;
  refuseOffloadOf(reference, referenceOffload);
  const pairs = plan.rows === "pairs";
  if (cache !== undefined && cache !== "off" && typeof reference === "object") requireKnown(reference);
  return startTraining(
    {
      command,
      schema: dpoOptions,
      settings,
      inputs,
      material: (opened) =>
        openJudgedRows(
          {
            settings,
            inputs,
            rows: {
              task: pairs ? "preference" : "ranking",
              format,
              ties: plan.ties === "drop" ? "drop" : "keep",
              overLength: truncate ? "truncate" : "drop",
            },
            prepare: async ({ rows }) => {
              for (const data of [rows.data, rows.evaluation])
                if (data !== undefined) checkJudgements(plan, data);
              return rows;
            },
          },
          opened,
        ),
      lengthGiven: values.maxLength !== undefined,
      cacheFolder: cache === "off" || !plan.reference ? undefined : cache,
      snapshots: plan.reference && reference === undefined ? 1 : 0,
      reference,
      referenceOffload,
    },
    (place, log, between) => loop({ place, settings, plan, log, between }),
  );
}

/** Throws ATTUNE_OPTION where a shared cache was asked for and the reference cannot be told from others. */
function requireKnown(reference: FrozenModel): void {
  if (isTrainable(reference)) return;
  const text = "Expected no cache here: the weights of a frozen copy cannot be told from others.";
  throw fail("ATTUNE_OPTION", `${text} Leave it out, or give the reference's path.`, {
    details: { option: "cache" },
  });
}

interface LoopParts {
  readonly place: Workplace;
  readonly settings: Settings;
  readonly plan: LossPlan;
  readonly log: StepLog<DpoMetrics>;
  readonly between: BetweenSteps<DpoMetrics>;
}

async function loop({ place, settings, plan, log, between }: LoopParts): Promise<void> {
  const { model, data, job } = place;
  const { microBatchTokens, weightDecay, maxGradNorm, referenceOffload: offload } = settings;
  const { warn } = place;
  // Before `begin`, which may put later weights into the model: the reference is the start.
  const frozen =
    plan.reference && place.reference === undefined ? await frozenStart({ model, offload, warn }) : undefined;
  const compared = plan.reference ? (place.reference?.model ?? frozen) : undefined;
  let cache: ReferenceCache | undefined;
  try {
    if (compared !== undefined) cache = openReferenceCache(place, settings.cache, compared);
    const chosen = place.reference !== undefined;
    const reference =
      compared === undefined ? undefined : new Reference({ model: compared, data, cache, job, chosen });
    await between.begin(() => evaluate({ place, settings, plan, compared, cache }));
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const batches = packStep({ data, rows, microBatchTokens });
      const facts = await findFacts({ plan, model, batches, count: rows.length, reference, job });
      const sums = new MetricSums<PairSum>();
      sums.add("computed", facts.trunkRows, 1);
      for (const batch of batches) {
        const loss = await batchLoss(batch, { plan, data, reference, facts });
        const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
        addPairSums(sums, { batch, result, rewardOf: rewardOf(plan), ...columnsOf(loss) });
      }
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
      if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
      log.finish(epoch, { ...pairMetrics(sums, plan), learning_rate: learningRate, grad_norm: gradNorm });
      if (await between.after(planned)) return;
    }
  } finally {
    cache?.close();
    await frozen?.dispose();
  }
}

/** What metrics need of a loss. */
function columnsOf(loss: RowsLoss) {
  return { reference: loss.reference, ranks: loss.kind === "listwise" ? loss.ranks : undefined };
}

interface EvaluateParts extends Pick<LoopParts, "place" | "settings" | "plan"> {
  readonly compared: FrozenModel | undefined;
  readonly cache: ReferenceCache | undefined;
}

/** The same losses on the evaluation rows. */
async function evaluate({ place, settings, plan, compared, cache }: EvaluateParts) {
  const { model, job, evaluation: rows = [] } = place;
  const { microBatchTokens } = settings;
  const chosen = place.reference !== undefined;
  const reference =
    compared === undefined ? undefined : new Reference({ model: compared, data: rows, cache, job, chosen });
  const batches = evaluationBatches(rows, microBatchTokens);
  const facts = await findFacts({ plan, model, batches, count: rows.length, reference, job });
  const sums = new MetricSums<PairSum>();
  await evaluateRows({
    model,
    rows,
    microBatchTokens,
    job,
    lossOf: (batch) => batchLoss(batch, { plan, data: rows, reference, facts }),
    add: (batch, loss, result) => {
      if (loss.kind === "pairwise" || loss.kind === "listwise")
        addPairSums(sums, { batch, result, rewardOf: rewardOf(plan), ...columnsOf(loss) });
    },
  });
  return evaluationKeys(pairMetrics(sums, plan));
}
