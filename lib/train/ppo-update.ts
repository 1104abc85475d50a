// The updates of one rollout by PPO: epochs of minibatches, each an optimiser step of policy and value network, which stop
// when the policy has moved too far. Must not sample or compute advantages.

import { packStep, type TokenisedRows } from "../data/index.js";
import type { JobOptions, PolicyLoss, TrainableModel, ValueLoss } from "../engine/contract.js";
import type { PpoSettings } from "../options/index.js";
import { minibatchesOf, type Numbers, type Rollout, valuesOfTargets } from "../rollout/index.js";
import { targetsOf } from "./batch-columns.js";
import { finiteStep, notFinite } from "./not-finite.js";
import { minibatchCounts, policyParts } from "./online/policy-loss.js";
import {
  addSums,
  firstTokens,
  noPolicyPass,
  noValuePass,
  type PolicyPass,
  policyPass,
  type ValuePass,
  valuePass,
} from "./online/policy-pass.js";
import type { PpoObjective } from "./ppo-objective.js";
import type { SharedSettings } from "./settings.js";
import { termScale } from "./term-means.js";

/** A mean ratio beyond which a minibatch teaches nothing that can be trusted. */
const LARGEST_MEAN_RATIO = 10;
/** How far the policy may move in one rollout, in target KLs. */
const KL_SLACK = 1.5;

/** Pre-training texts, and the order in which updates take them. */
export interface PtxTexts {
  readonly data: TokenisedRows;
  /** Of the next optimiser step. */
  next(): Int32Array;
}

export interface PpoUpdate {
  readonly policy: TrainableModel;
  readonly value: TrainableModel;
  readonly ptx: PtxTexts | undefined;
  readonly rollout: Rollout;
  /** The answers of the rollout. */
  readonly data: TokenisedRows;
  readonly objective: PpoObjective;
  /** [tokens] log-probs of now, where the rollout was sampled by an earlier policy. */
  readonly startLogprobs: Numbers | undefined;
  readonly settings: PpoSettings & SharedSettings;
  readonly rates: { readonly policy: number; readonly value: number };
  readonly job: JobOptions;
  /** From 1. */
  readonly step: number;
  readonly onProgress: (done: number, total: number) => void;
}

export interface UpdateSums {
  readonly policy: PolicyPass;
  readonly value: ValuePass;
  /** Nats per token of pre-training texts; undefined without. */
  readonly ptxLoss: number | undefined;
  /** Before clipping, means over optimiser steps; 0 without any. */
  readonly gradNorm: number;
  readonly valueGradNorm: number;
  readonly optimizerSteps: number;
  /** Minibatches left out because their mean ratio was too large. */
  readonly skipped: number;
  /** The policy moved beyond `targetKl`; later minibatches were left out. */
  readonly stopped: boolean;
  /** Minibatches whose losses were computed. */
  readonly minibatches: number;
  readonly ptxTokens: number;
  readonly ptxTrunkRows: number;
}

/** Takes all optimiser steps of a rollout. Throws ATTUNE_NOT_FINITE, with the weights of the last sound step. */
export async function ppoUpdate(update: PpoUpdate): Promise<UpdateSums> {
  const { rollout, settings, onProgress } = update;
  const { updateEpochs: epochs, minibatches, seed, targetKl } = settings;
  const samples = rollout.finish.length;
  const total = epochs * minibatches;
  const policies: PolicyPass[] = [];
  const values: ValuePass[] = [];
  const norms = { policy: [] as number[], value: [] as number[] };
  const ptx = { loss: 0, tokens: 0, trunkRows: 0, steps: 0 };
  let [skipped, stopped] = [0, false];
  for (const { rows } of minibatchesOf({ samples, rollout: rollout.number, epochs, minibatches, seed })) {
    const pass = await policyMinibatch(update, rows);
    policies.push(pass);
    stopped = targetKl !== undefined && pass.approxKl / pass.count > KL_SLACK * targetKl;
    const leaveOut = stopped || pass.ratio / pass.ratios > LARGEST_MEAN_RATIO;
    if (leaveOut) await update.policy.clearGradients();
    if (stopped) break;
    if (leaveOut) skipped += 1;
    else {
      const text = await ptxMinibatch(update);
      if (text !== undefined) {
        ptx.loss += text.loss;
        ptx.tokens += text.tokens;
        ptx.trunkRows += text.trunkRows;
        ptx.steps += 1;
      }
      norms.policy.push(await optimise(update, "policy", rows));
      if (settings.valueWeight > 0) {
        values.push(await valueMinibatch(update, rows));
        norms.value.push(await optimise(update, "value", rows));
      }
    }
    onProgress(policies.length, total);
  }
  return {
    policy: addSums(policies, noPolicyPass),
    value: addSums(values, noValuePass),
    ptxLoss: ptx.steps === 0 ? undefined : ptx.loss / ptx.steps,
    gradNorm: meanOf(norms.policy),
    valueGradNorm: meanOf(norms.value),
    optimizerSteps: norms.policy.length,
    skipped,
    stopped,
    minibatches: policies.length,
    ptxTokens: ptx.tokens,
    ptxTrunkRows: ptx.trunkRows,
  };
}

async function policyMinibatch(update: PpoUpdate, rows: Int32Array): Promise<PolicyPass> {
  const { policy: model, data, rollout, objective, startLogprobs, settings, job, step } = update;
  const { clipLow, clipHigh, entropyWeight, reduction: mean, microBatchTokens } = settings;
  const counts = minibatchCounts(rollout, rows);
  const { advantages } = objective;
  const parts = { rollout, advantages, startLogprobs, counts, mean, ratio: "token" } as const;
  return policyPass({
    model,
    data,
    rows,
    microBatchTokens,
    job,
    step,
    lossOf: (batch): PolicyLoss => ({
      ...policyParts(batch, parts),
      form: "clip",
      clipLow,
      clipHigh,
      entropyWeight,
    }),
  });
}

async function valueMinibatch(update: PpoUpdate, rows: Int32Array): Promise<ValuePass> {
  const { value: model, data, rollout, objective, settings, job, step } = update;
  const { clipValue: clip, valueWeight, advantage, reduction, microBatchTokens } = settings;
  const { starts, values = [] } = rollout;
  const counts = minibatchCounts(rollout, rows);
  const firstOnly = advantage === "sequence";
  const bias = model.scoreNormalisation?.bias[0] ?? 0;
  return valuePass({
    model,
    data: firstOnly ? firstTokens(data) : data,
    rows,
    microBatchTokens,
    job,
    step,
    lossOf: (batch): ValueLoss => {
      const { normaliser, ...weights } = termScale(firstOnly ? "row" : reduction, batch, counts);
      return {
        kind: "value",
        normaliser: normaliser / valueWeight,
        ...weights,
        returns: valuesOfTargets(batch, starts, objective.returns),
        bias,
        ...(clip === 0 ? {} : { clip, oldValues: valuesOfTargets(batch, starts, values) }),
      };
    },
  });
}

interface TextPass {
  /** Nats per token, before its weight. */
  readonly loss: number;
  readonly tokens: number;
  readonly trunkRows: number;
}

/** Pre-training texts join the gradient of the policy (PPO-ptx, arXiv 2203.02155). */
async function ptxMinibatch({
  policy: model,
  ptx,
  settings,
  job,
  step,
}: PpoUpdate): Promise<TextPass | undefined> {
  const { ptxWeight = 1, microBatchTokens } = settings;
  if (ptx === undefined || ptxWeight === 0) return undefined;
  const { data } = ptx;
  const batches = packStep({ data, rows: ptx.next(), microBatchTokens });
  const normaliser = targetsOf(batches) / ptxWeight;
  const sums = { loss: 0, tokens: 0, trunkRows: 0 };
  for (const batch of batches) {
    const result = await finiteStep({ model, batch, loss: { kind: "nll", normaliser }, job, step, data });
    sums.loss += result.loss / ptxWeight;
    sums.tokens += batch.counts.tokens;
    sums.trunkRows += result.trunkRows;
  }
  return sums;
}

/** Returns the gradient's norm before clipping. */
async function optimise(update: PpoUpdate, which: "policy" | "value", rows: Int32Array): Promise<number> {
  const { settings, rates, step, data } = update;
  const { weightDecay, maxGradNorm, adamEpsilon: epsilon } = settings;
  const learningRate = rates[which];
  const options = { learningRate, weightDecay, maxGradNorm, epsilon };
  const { gradNorm, finite } = await update[which].update(options);
  if (!finite) throw notFinite({ what: "gradient", step, data, rows });
  return gradNorm;
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
