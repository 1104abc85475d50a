// The optimiser steps of one rollout: epochs of minibatches through a policy loss, what is left out of them, and their
// metrics. Must not sample, compute advantages or choose a loss.

import type { PackedBatch, TokenisedRows } from "../../data/index.js";
import type { JobOptions, PolicyLoss, TrainableModel, UpdateOptions } from "../../engine/contract.js";
import { fail } from "../../errors/index.js";
import { minibatchesOf, type Rollout } from "../../rollout/index.js";
import { type NotFinite, notFinite } from "../not-finite.js";
import type { OnlineSettings } from "./online-settings.js";
import { type MinibatchCounts, minibatchCounts } from "./policy-loss.js";
import { addSums, noPolicyPass, type PolicyPass, policyPass } from "./policy-pass.js";

/** A mean ratio beyond which a minibatch teaches nothing that can be trusted. */
const LARGEST_MEAN_RATIO = 10;
/** How far the policy may move in one rollout, in target KLs. */
const KL_SLACK = 1.5;

/** What every loop knows of the update of a step. */
export interface UpdatePlace {
  readonly model: TrainableModel;
  /** The answers of the rollout. */
  readonly data: TokenisedRows;
  readonly settings: OnlineSettings;
  readonly learningRate: number;
  readonly job: JobOptions;
  /** From 1. */
  readonly step: number;
  readonly onProgress: (done: number, total: number) => void;
}

export interface PolicyUpdate extends UpdatePlace {
  readonly rollout: Rollout;
  /** For one micro-batch, divided by the counts of its minibatch. */
  readonly lossOf: (batch: PackedBatch, counts: MinibatchCounts) => PolicyLoss;
  /** Nats per token; beyond 1.5 times as much the later minibatches are left out. */
  readonly targetKl?: number | undefined;
  /** Adds to the gradient of a minibatch that is not left out, before its optimiser step. */
  readonly joins?: () => Promise<void>;
  /** After the optimiser step of a minibatch. */
  readonly follows?: (samples: Int32Array) => Promise<void>;
}

export interface PolicyUpdateSums {
  /** Over all minibatches whose losses were computed. */
  readonly policy: PolicyPass;
  readonly minibatches: number;
  /** [optimiser steps] norms before clipping. */
  readonly gradNorms: readonly number[];
  /** Minibatches left out because their mean ratio was too large. */
  readonly skipped: number;
  /** The policy moved beyond `targetKl`; later minibatches were left out. */
  readonly stopped: boolean;
}

/** Takes all optimiser steps of a rollout. Throws ATTUNE_NOT_FINITE, with the weights of the last sound step. */
export async function policyUpdate(update: PolicyUpdate): Promise<PolicyUpdateSums> {
  const { model, data, rollout, settings, job, step, lossOf, targetKl, onProgress } = update;
  const { updateEpochs: epochs, minibatches, seed, microBatchTokens } = settings;
  const samples = rollout.finish.length;
  const passes: PolicyPass[] = [];
  const gradNorms: number[] = [];
  let [skipped, stopped] = [0, false];
  for (const { rows } of minibatchesOf({ samples, rollout: rollout.number, epochs, minibatches, seed })) {
    const counts = minibatchCounts(rollout, rows);
    const shared = { model, data, rows, microBatchTokens, job, step };
    const pass = await policyPass({ ...shared, lossOf: (batch) => lossOf(batch, counts) });
    passes.push(pass);
    stopped = targetKl !== undefined && pass.approxKl / pass.count > KL_SLACK * targetKl;
    const leaveOut = stopped || pass.ratio / pass.ratios > LARGEST_MEAN_RATIO;
    if (leaveOut) await model.clearGradients();
    if (stopped) break;
    if (leaveOut) skipped += 1;
    else {
      await update.joins?.();
      gradNorms.push(await optimise(update, rows));
      await update.follows?.(rows);
    }
    onProgress(passes.length, epochs * minibatches);
  }
  return { policy: addSums(passes, noPolicyPass), minibatches: passes.length, gradNorms, skipped, stopped };
}

/** What an optimiser step needs: of a policy, or of a value network. */
export type Optimise = Pick<UpdatePlace, "model" | "data" | "settings" | "learningRate" | "step"> &
  Pick<NotFinite, "network">;

/** Returns the gradient's norm before clipping. Throws ATTUNE_NOT_FINITE. */
export async function optimise(
  { model, data, settings, learningRate, step, network = "policy" }: Optimise,
  rows: Int32Array,
): Promise<number> {
  const { weightDecay, maxGradNorm, adamEpsilon: epsilon } = settings;
  const options: UpdateOptions = { learningRate, weightDecay, maxGradNorm, epsilon };
  const { gradNorm, finite } = await model.update(options);
  if (!finite) throw notFinite({ what: "gradient", step, data, rows, network });
  return gradNorm;
}

/** Means over the minibatches of a step, as every algorithm with ratios logs them. */
export function policyMetrics({ policy, minibatches, gradNorms, skipped }: PolicyUpdateSums) {
  const perRatio = (sum: number) => (policy.ratios === 0 ? 0 : sum / policy.ratios);
  const perToken = (sum: number) => (policy.count === 0 ? 0 : sum / policy.count);
  const ratio = policy.ratios === 0 ? 1 : policy.ratio / policy.ratios;
  const loss = policy.loss / Math.max(1, minibatches);
  return {
    loss,
    "loss/policy": loss,
    entropy: perToken(policy.entropy),
    "policy/entropy": perToken(policy.entropy),
    "policy/approxkl": perToken(policy.approxKl),
    "policy/clipfrac": perRatio(policy.clipped),
    "val/ratio": ratio,
    "val/ratio_var":
      policy.ratios === 0 ? 0 : Math.max(0, policy.ratioSquared / policy.ratios - ratio * ratio),
    grad_norm: meanOf(gradNorms),
    optimizer_steps: gradNorms.length,
    skipped_minibatches: skipped,
    tokens: policy.tokens,
    tokens_computed: policy.trunkRows,
  };
}

/** Shares of ratios beyond either end of their range, under TRL's names. */
export function clipMetrics({ policy }: PolicyUpdateSums) {
  const share = (count: number) => (policy.ratios === 0 ? 0 : count / policy.ratios);
  return {
    "clip_ratio/low_mean": share(policy.clippedLow),
    "clip_ratio/high_mean": share(policy.clippedHigh),
  };
}

/** 0 of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Throws ATTUNE_OPTION for more minibatches than a step has parts that can be divided. */
export function checkMinibatches(
  { minibatches }: Pick<OnlineSettings, "minibatches">,
  parts: number,
  of: string,
) {
  if (minibatches <= parts) return;
  const text = `Expected at most ${parts} minibatches, the ${of} of a step, but received ${minibatches}.`;
  throw fail("ATTUNE_OPTION", text, { details: { option: "minibatches" } });
}
