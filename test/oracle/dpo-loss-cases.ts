// DPO cases of the oracle: pairs of summed log-probs given as completions of one target each.
// Loss and gradient come from native/loss, rewards from lib/train; nothing is computed again here.

import type { Checks } from "../../lib/engine/checks.js";
import type { CompletionSums } from "../../lib/engine/contract.js";
import { MetricSums } from "../../lib/train/metrics.js";
import { addPairSums, type PairSum, pairMetrics } from "../../lib/train/pair-metrics.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { at, Comparison } from "../support/oracle-compare.js";
import {
  gradientTolerance,
  type LossCase,
  numberOf,
  numbersOf,
  parameterOf,
  valueTolerance,
} from "./loss-file.js";

export interface DpoInputs {
  readonly policy_chosen_logps: readonly number[];
  readonly policy_rejected_logps: readonly number[];
  readonly reference_chosen_logps: readonly number[];
  readonly reference_rejected_logps: readonly number[];
}

/** Parameters that a case may have to be one this version trains with. */
const known = ["loss", "beta", "label_smoothing"];

export function isTrained(params: LossCase["params"]): boolean {
  return params.loss === "sigmoid" && Object.keys(params).every((name) => known.includes(name));
}

export interface DpoCheckOptions {
  readonly one: LossCase;
  readonly inputs: DpoInputs;
  readonly checks: Checks;
}

export async function checkDpoCase({ one, inputs, checks }: DpoCheckOptions): Promise<void> {
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name: `dpo ${one.case}` });
  const policy = alternate(inputs.policy_chosen_logps, inputs.policy_rejected_logps);
  const reference = alternate(inputs.reference_chosen_logps, inputs.reference_rejected_logps);
  const pairs = policy.length / 2;
  const beta = parameterOf(one, "beta");
  const sequence = { tokens: [0], scored: [{ position: 0, token: 0 }] };
  const batch = batchOfSequences({ sequences: Array.from(policy, () => sequence), perGroup: 2 });
  const { groupLosses, gradient } = await checks.logprobLoss(
    {
      kind: "dpo",
      normaliser: pairs,
      beta,
      labelSmoothing: parameterOf(one, "label_smoothing", 0),
      reference,
    },
    batch,
    Float32Array.from(policy),
  );
  compare.within("per pair", groupLosses, numbersOf(one, "per_pair"), valueTolerance);
  const loss = groupLosses.reduce((sum, value) => sum + value, 0) / pairs;
  compare.within("loss", loss, numberOf(one, "loss"), valueTolerance);
  const grads = alternate(numbersOf(one, "grad_policy_chosen"), numbersOf(one, "grad_policy_rejected"));
  compare.within("gradient", gradient, grads, gradientTolerance);
  checkRewards({ one, compare, policy, reference, beta });
}

interface RewardsOptions {
  readonly one: LossCase;
  readonly compare: Comparison;
  readonly policy: Float64Array;
  readonly reference: Float64Array;
  readonly beta: number;
}

/** Rewards pair by pair, as the trainer's metrics form them. */
function checkRewards({ one, compare, policy, reference, beta }: RewardsOptions): void {
  const pairs = Array.from({ length: policy.length / 2 }, (_, pair) =>
    onePair(policy.subarray(2 * pair, 2 * pair + 2), reference.subarray(2 * pair, 2 * pair + 2), beta),
  );
  for (const [name, values] of [
    ["rewards_chosen", pairs.map((metrics) => metrics["rewards/chosen"])],
    ["rewards_rejected", pairs.map((metrics) => metrics["rewards/rejected"])],
    ["margins", pairs.map((metrics) => metrics["rewards/margins"])],
  ] as const) {
    compare.within("rewards", values, numbersOf(one, name), valueTolerance, name);
  }
  const correct = pairs.reduce((sum, metrics) => sum + metrics["rewards/accuracies"], 0);
  compare.exact("accuracy", [correct / pairs.length], [numberOf(one, "accuracy")]);
}

function onePair(policy: Float64Array, reference: Float64Array, beta: number) {
  const sums = new MetricSums<PairSum>();
  const sequence = { tokens: [0], scored: [{ position: 0, token: 0 }] };
  const completions = Array.from(policy, (logprob): CompletionSums => {
    return { logprob, entropy: 0, meanLogit: 0, correct: 0, count: 1 };
  });
  const result = {
    loss: 0,
    groupLosses: new Float64Array(1),
    completions,
    scores: new Float64Array(0),
    trunkRows: 0,
    headRows: 0,
  };
  const batch = batchOfSequences({ sequences: [sequence, sequence], perGroup: 2 });
  addPairSums(sums, { batch, result, reference, beta });
  return { ...pairMetrics(sums), "rewards/accuracies": sums.mean("accuracies") };
}

function alternate(chosen: readonly number[], rejected: readonly number[]): Float64Array {
  return Float64Array.from(chosen.flatMap((value, pair) => [value, at(rejected, pair)]));
}
