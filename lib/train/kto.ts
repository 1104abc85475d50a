// Learning from thumbs (KTO, Ethayarajh et al. 2024, arXiv 2402.01306, and its kin): single answers that are good or bad,
// measured against a frozen reference. One linear loop; the mathematics is native. Must not import another trainer's loop.

import { type PackedBatch, packStep, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, UnpairedLoss } from "../engine/contract.js";
import { type KtoSettings, type KtoSettingsInput, ktoLearningRates, ktoOptions } from "../options/index.js";
import { type AnswerSum, addAnswerSums, answerMetrics } from "./answer-metrics.js";
import { pairLabels, rowWeights } from "./batch-columns.js";
import type { BetweenSteps } from "./between-steps.js";
import { evaluateRows, evaluationKeys } from "./evaluation.js";
import { frozenStart, refuseOffloadOf } from "./frozen-start.js";
import { openJudgedRows } from "./judged-rows.js";
import { answerSums, KtoReference } from "./kto-reference.js";
import { checkAnswers, checkWeights } from "./kto-rows.js";
import { type KtoMetrics, MetricSums } from "./metrics.js";
import { mismatchedAnswers } from "./mismatched-answers.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { openReferenceCache } from "./open-reference-cache.js";
import type { ReferenceCache } from "./reference-cache.js";
import { type RunInputs, separateInputs, type TrainRun } from "./run-types.js";
import { scheduleMultiplier } from "./schedule.js";
import { resolveSettings, type SharedSettings } from "./settings.js";
import type { StepLog } from "./step-log.js";
import { startTraining } from "./training.js";
import type { Workplace } from "./workplace.js";

/** Numbers by their defaults in docs/cli/kto.md, and what the run works on. */
export type KtoOptions = Omit<KtoSettingsInput, "model" | "data" | "evalData" | "reference"> &
  RunInputs<KtoMetrics> & {
    /** Another model to compare with: a path, or a model of the same vocabulary. Default: the start of the trained one. */
    readonly reference?: string | FrozenModel | undefined;
  };

type Settings = KtoSettings & SharedSettings;

/**
 * Trains a model on answers that are good or bad (or on pairs, taken apart) against a frozen reference: its own start, or
 * another model. Returns at once; the run goes on by itself.
 * @throws ATTUNE_OPTION at once; what goes wrong later rejects `run.result`
 */
export function kto(options: KtoOptions): TrainRun<KtoMetrics> {
  const { reference, ...others } = options;
  const separated = separateInputs<KtoMetrics>(others);
  const { inputs } = separated;
  const named = typeof reference === "object" ? "(a model in memory)" : reference;
  const values: Readonly<Record<string, unknown>> = { ...separated.values, reference: named };
  const command = "kto";
  const rates = ktoLearningRates;
  const settings = resolveSettings({ command, schema: ktoOptions, inputs, values, rates });
  checkWeights(settings);
  const { format, truncate, cache, referenceOffload } = settings;
  refuseOffloadOf(reference, referenceOffload);
  return startTraining(
    {
      command,
      schema: ktoOptions,
      settings,
      inputs,
      material: (opened) =>
        openJudgedRows(
          {
            settings,
            inputs,
            rows: { task: "unpaired", format, overLength: truncate ? "truncate" : "drop" },
            prepare: async ({ rows, warn }) => checkAnswers({ rows, settings, warn }),
          },
          opened,
        ),
      lengthGiven: values.maxLength !== undefined,
      cacheFolder: cache === "off" ? undefined : cache,
      snapshots: reference === undefined ? 1 : 0,
      reference,
      referenceOffload,
    },
    (place, log, between) => loop(place, settings, log, between),
  );
}

async function loop(
  place: Workplace,
  settings: Settings,
  log: StepLog<KtoMetrics>,
  between: BetweenSteps<KtoMetrics>,
): Promise<void> {
  const { model, data, job } = place;
  const { microBatchTokens, weightDecay, maxGradNorm, referenceOffload: offload } = settings;
  const { warn } = place;
  // Before `begin`, which may put later weights into the model: the reference is the start.
  const frozen = place.reference === undefined ? await frozenStart({ model, offload, warn }) : undefined;
  const compared = place.reference?.model ?? frozen;
  if (compared === undefined) throw new Error("a run without a reference");
  let cache: ReferenceCache | undefined;
  try {
    cache = openReferenceCache(place, settings.cache, compared);
    const shared = { model: compared, cache, microBatchTokens, job };
    const reference = new KtoReference({ ...shared, data, keepMismatched: false });
    const measured = new KtoReference({ ...shared, data: place.evaluation ?? [], keepMismatched: true });
    await between.begin(() => evaluate(place, settings, measured));
    for (const planned of place.plan()) {
      const { step, epoch, rows } = planned;
      const facts = await findFacts({ place, settings, data, rows, reference });
      const sums = new MetricSums<AnswerSum>();
      sums.add("computed", facts.trunkRows, 1);
      for (const batch of packStep({ data, rows, microBatchTokens, sharePrompts: true })) {
        const loss = answerLoss(batch, { data, settings, facts });
        const result = await finiteStep({ model, batch, loss, job, step: step + 1, data });
        addAnswerSums(sums, { batch, result, loss });
      }
      const learningRate = settings.learningRate * scheduleMultiplier(step, place.schedule);
      const { gradNorm, finite } = await model.update({ learningRate, weightDecay, maxGradNorm });
      if (!finite) throw notFinite({ what: "gradient", step: step + 1, data, rows });
      const metrics = answerMetrics(sums, facts.kl);
      log.finish(epoch, { ...metrics, learning_rate: learningRate, grad_norm: gradNorm });
      if (await between.after(planned)) return;
    }
  } finally {
    cache?.close();
    await frozen?.dispose();
  }
}

/** What the loss of every row needs to know of the whole update. */
interface UpdateFacts {
  /** Rows of the update. */
  readonly count: number;
  /** Of each row's answer under the reference, by position. */
  readonly reference: ReadonlyMap<number, number>;
  /** z0 of kto: mean log-ratio of mismatched answers, never below 0; undefined for losses without it. */
  readonly kl: number | undefined;
  /** Rows that went through the policy's layers for it. */
  readonly trunkRows: number;
}

interface FindFacts {
  readonly place: Pick<Workplace, "model" | "job">;
  readonly settings: Settings;
  readonly data: TokenisedRows;
  /** Positions of all rows of the update. */
  readonly rows: ArrayLike<number>;
  readonly reference: KtoReference;
}

/** Passes without a gradient over the whole update, before its first micro-batch: z0 is one number for all. */
async function findFacts(request: FindFacts): Promise<UpdateFacts> {
  const { place, settings, data, rows, reference } = request;
  const { model, job } = place;
  const { microBatchTokens } = settings;
  const maxLength = Math.min(settings.maxLength, model.maxPositions);
  const mismatched = settings.loss === "kto" ? mismatchedAnswers({ data, rows, maxLength }) : [];
  const known = await reference.measure(rows, mismatched);
  const shared = { count: rows.length, reference: known.rows };
  if (settings.loss !== "kto") return { ...shared, kl: undefined, trunkRows: 0 };
  const answers = mismatched.map(({ prompt, completion }) => ({ prompt, completions: [completion] }));
  const { sums, trunkRows } = await answerSums({ model, answers, microBatchTokens, job });
  const total = sums.reduce((sum, own, i) => sum + (own[0] ?? 0) - (known.mismatched[i] ?? 0), 0);
  return { ...shared, kl: Math.max(0, total / Math.max(1, answers.length)), trunkRows };
}

interface AnswerLoss {
  readonly data: TokenisedRows;
  readonly settings: Settings;
  readonly facts: UpdateFacts;
}

function answerLoss(batch: PackedBatch, { data, settings, facts }: AnswerLoss): UnpairedLoss {
  const { loss, beta, desirableWeight, undesirableWeight, bcoDelta } = settings;
  return {
    kind: "unpaired",
    loss,
    normaliser: facts.count,
    beta,
    baseline: facts.kl ?? bcoDelta,
    desirableWeight,
    undesirableWeight,
    labels: pairLabels(data, batch),
    weights: rowWeights(data, batch),
    reference: Float64Array.from(batch.rows, (row) => facts.reference.get(row) ?? Number.NaN),
  };
}

/** The same loss on the evaluation rows, with a z0 of their own. */
async function evaluate(place: Workplace, settings: Settings, reference: KtoReference) {
  const { model, job, evaluation: data = [] } = place;
  const { microBatchTokens } = settings;
  const rows = Int32Array.from({ length: data.length }, (_, row) => row);
  const facts = await findFacts({ place, settings, data, rows, reference });
  const sums = new MetricSums<AnswerSum>();
  await evaluateRows({
    model,
    rows: data,
    microBatchTokens,
    sharePrompts: true,
    job,
    lossOf: async (batch) => answerLoss(batch, { data, settings, facts }),
    add: (batch, loss, result) => {
      if (loss.kind === "unpaired") addAnswerSums(sums, { batch, result, loss });
    },
  });
  return evaluationKeys(answerMetrics(sums, facts.kl));
}
