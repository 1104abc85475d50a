// The updates of one rollout by PPO: epochs of minibatches, each an optimiser step of policy and value network, which stop
// when the policy has moved too far. Must not sample or compute advantages.

import { packStep, type TokenisedRows } from "../data/index.js";
import type { JobOptions, PolicyLoss, TrainableModel, ValueLoss } from "../engine/contract.js";
import type { PpoSettings } from "../options/index.js";
import { type Numbers, type Rollout, valuesOfTargets } from "../rollout/index.js";
import { targetsOf } from "./batch-columns.js";
import { finiteStep } from "./not-finite.js";
import { minibatchCounts, policyParts } from "./online/policy-loss.js";
import { addSums, firstTokens, noValuePass, type ValuePass, valuePass } from "./online/policy-pass.js";
import { meanOf, optimise, type PolicyUpdateSums, policyUpdate } from "./online/policy-update.js";
import type { PpoObjective } from "./ppo-objective.js";
import type { SharedSettings } from "./settings.js";
import { termScale } from "./term-means.js";

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

export interface UpdateSums extends PolicyUpdateSums {
  readonly value: ValuePass;
  /** Of the value network before clipping, a mean over optimiser steps; 0 without any. */
  readonly valueGradNorm: number;
  /** Nats per token of pre-training texts; undefined without. */
  readonly ptxLoss: number | undefined;
  readonly ptxTokens: number;
  readonly ptxTrunkRows: number;
}

/** Takes all optimiser steps of a rollout. Throws ATTUNE_NOT_FINITE, with the weights of the last sound step. */
export async function ppoUpdate(update: PpoUpdate): Promise<UpdateSums> {
  const { policy, value, rollout, objective, startLogprobs, settings, rates } = update;
  const { clipLow, clipHigh, entropyWeight, reduction: mean, targetKl, valueWeight } = settings;
  const { advantages } = objective;
  const values: ValuePass[] = [];
  const valueNorms: number[] = [];
  const texts: TextPass[] = [];
  const updated = await policyUpdate({
    ...update,
    model: policy,
    learningRate: rates.policy,
    targetKl,
    lossOf: (batch, counts): PolicyLoss => ({
      ...policyParts(batch, { rollout, advantages, startLogprobs, counts, mean, ratio: "token" }),
      form: "clip",
      clipLow,
      clipHigh,
      entropyWeight,
    }),
    joins: async () => {
      const pass = await ptxMinibatch(update);
      if (pass !== undefined) texts.push(pass);
    },
    follows: async (samples) => {
      if (valueWeight === 0) return;
      values.push(await valueMinibatch(update, samples));
      const own = { model: value, learningRate: rates.value, network: "value" } as const;
      valueNorms.push(await optimise({ ...update, ...own }, samples));
    },
  });
  const { loss, tokens, trunkRows } = addSums(texts, { loss: 0, tokens: 0, trunkRows: 0 });
  return {
    ...updated,
    value: addSums(values, noValuePass),
    valueGradNorm: meanOf(valueNorms),
    ptxLoss: texts.length === 0 ? undefined : loss / texts.length,
    ptxTokens: tokens,
    ptxTrunkRows: trunkRows,
  };
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
