// Log-prob cases of the oracle on given logits: statistics, KL, gradients, by the head's own ops.
// Objectives are sums of what the ops gave; no formula of a row is computed again here.

import type { Checks } from "../../lib/engine/checks.js";
import { at, Comparison } from "../support/oracle-compare.js";
import {
  gradientTolerance,
  headTolerance,
  type LossCase,
  numberOf,
  numbersOf,
  parameterOf,
} from "./loss-file.js";

export interface HeadInputs {
  readonly rows: number;
  readonly vocab: number;
  readonly logits: readonly (readonly number[])[];
  readonly reference_logits: readonly (readonly number[])[];
  readonly targets: readonly number[];
  readonly w: readonly number[];
  readonly u: readonly number[];
}

export interface HeadCheckOptions {
  readonly one: LossCase;
  readonly inputs: HeadInputs;
  readonly checks: Checks;
}

const none = new Float32Array(0);

export async function checkHeadCase({ one, inputs, checks }: HeadCheckOptions): Promise<void> {
  const name = `logprob ${one.case}`;
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name });
  const logits = Float32Array.from(inputs.logits.flat());
  const reference = Float32Array.from(inputs.reference_logits.flat());
  const targets = Int32Array.from(inputs.targets);
  const temperature = parameterOf(one, "temperature");
  const [a, c] = [parameterOf(one, "a"), parameterOf(one, "c")];
  const { w, u, rows } = inputs;

  const stats = await checks.headStats(logits, targets, temperature);
  const referenceStats = await checks.headStats(reference, targets, temperature);
  const { kl, reverseKl } = await checks.headKl(logits, reference, rows, temperature);
  const estimates = await checks.klEstimates(stats.logprobs, referenceStats.logprobs);
  for (const [field, values] of [
    ["logp", stats.logprobs],
    ["ref_logp", referenceStats.logprobs],
    ["logsumexp", stats.logsumexps],
    ["entropy", stats.entropies],
    ["kl_policy_ref", kl],
    ["kl_ref_policy", reverseKl],
    ["k1", estimates.k1],
    ["k2", estimates.k2],
    ["k3", estimates.k3],
  ] as const) {
    compare.within(`head ${field}`, values, numbersOf(one, field), headTolerance);
  }

  const main = weightedSum(w, stats.logprobs) + a * sum(stats.entropies) + c * sum(kl);
  for (const [field, value] of [
    ["objective_main", main],
    ["objective_k3", weightedSum(u, estimates.k3)],
    ["objective_reverse", weightedSum(u, reverseKl)],
  ] as const) {
    compare.within("head objectives", value, numberOf(one, field), headTolerance, field);
  }

  const gradient = (weights: Partial<Record<"logprob" | "entropy" | "kl" | "reverseKl", Float32Array>>) =>
    checks.headGradient(
      logits,
      reference,
      targets,
      { logprob: none, entropy: none, kl: none, reverseKl: none, ...weights },
      temperature,
    );
  const same = (value: number) => new Float32Array(rows).fill(value);
  for (const [field, values] of [
    ["grad_main", await gradient({ logprob: Float32Array.from(w), entropy: same(a), kl: same(c) })],
    ["grad_k3", await gradient({ logprob: Float32Array.from(u, (x, i) => x * at(estimates.dK3, i)) })],
    ["grad_reverse", await gradient({ reverseKl: Float32Array.from(u) })],
  ] as const) {
    compare.within(`head ${field}`, values, numbersOf(one, field), gradientTolerance);
  }
}

function sum(values: ArrayLike<number>): number {
  return weightedSum(new Float64Array(values.length).fill(1), values);
}

function weightedSum(weights: ArrayLike<number>, values: ArrayLike<number>): number {
  return Array.from(weights).reduce((total, weight, i) => total + weight * at(values, i), 0);
}
