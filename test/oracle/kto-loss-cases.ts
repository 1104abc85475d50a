// Cases of single judged completions: loss and gradient come from native/loss, rewards from lib/train.
// Must not compute a formula again.

import type { Checks } from "../../lib/engine/checks.js";
import type { UnpairedLoss } from "../../lib/engine/contract.js";
import { type AnswerSum, addAnswerSums, answerMetrics } from "../../lib/train/answer-metrics.js";
import { MetricSums } from "../../lib/train/metrics.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { Comparison, sumOf } from "../support/oracle-compare.js";
import { sumsLoss } from "./dpo-loss-cases.js";
import {
  gradientTolerance,
  type LossCase,
  numberOf,
  numbersOf,
  parameterOf,
  valueTolerance,
} from "./loss-file.js";

export interface KtoInputs {
  readonly policy_logps: readonly number[];
  readonly reference_logps: readonly number[];
  readonly labels: Readonly<Record<string, readonly number[]>>;
}

export interface KtoCheckOptions {
  readonly one: LossCase;
  readonly inputs: KtoInputs;
  readonly checks: Checks;
}

export async function checkKtoCase({ one, inputs, checks }: KtoCheckOptions): Promise<void> {
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name: `kto ${one.case}` });
  const labels = inputs.labels[String(one.labels)];
  if (labels === undefined) throw new Error(`${one.case}: no labels ${one.labels}`);
  const rows = labels.length;
  const loss: UnpairedLoss = {
    kind: "unpaired",
    loss: one.params.loss as UnpairedLoss["loss"],
    normaliser: rows,
    beta: parameterOf(one, "beta"),
    baseline: typeof one.kl === "number" ? one.kl : parameterOf(one, "delta", 0),
    desirableWeight: parameterOf(one, "desirable_weight"),
    undesirableWeight: parameterOf(one, "undesirable_weight"),
    labels: Float64Array.from(labels),
    reference: Float64Array.from(inputs.reference_logps),
  };
  const sums = Float64Array.from(inputs.policy_logps);
  const lengths = new Float64Array(rows).fill(1);
  const { groupLosses, gradient } = await sumsLoss({ checks, spec: loss, sums, lengths, perGroup: 1 });
  compare.within("per row", groupLosses, numbersOf(one, "per_row"), valueTolerance);
  compare.within("loss", sumOf(groupLosses) / rows, numberOf(one, "loss"), valueTolerance);
  compare.within("gradient", gradient, numbersOf(one, "grad_policy"), gradientTolerance);
  checkRewards({ one, compare, loss, sums });
}

interface RewardsOptions {
  readonly one: LossCase;
  readonly compare: Comparison;
  readonly loss: UnpairedLoss;
  readonly sums: Float64Array;
}

/** As the trainer's metrics form them: of each row, and their means by label. */
function checkRewards({ one, compare, loss, sums }: RewardsOptions): void {
  const metrics = (first: number, end: number) => {
    const own = new MetricSums<AnswerSum>();
    const part = { labels: loss.labels.slice(first, end), reference: loss.reference.slice(first, end) };
    const completions = Array.from(sums.slice(first, end), (logprob) => {
      return { logprob, entropy: 0, meanLogit: 0, correct: 0, count: 1 };
    });
    const result = {
      loss: 0,
      groupLosses: new Float64Array(end - first),
      completions,
      scores: new Float64Array(0),
      tieGradient: 0,
      trunkRows: 0,
      headRows: 0,
    };
    const sequences = completions.map(() => ({ tokens: [0], scored: [{ position: 0, token: 0 }] }));
    addAnswerSums(own, {
      batch: batchOfSequences({ sequences }),
      result,
      loss: { beta: loss.beta, ...part },
    });
    return answerMetrics(own, undefined) as Readonly<Record<string, number | undefined>>;
  };
  const rewards = Array.from(sums, (_, row) => {
    const own = metrics(row, row + 1);
    return own["rewards/chosen"] ?? own["rewards/rejected"] ?? Number.NaN;
  });
  compare.within("rewards", rewards, numbersOf(one, "rewards"), valueTolerance);
  const all = metrics(0, sums.length);
  for (const [theirs, ours] of [
    ["rewards_chosen", "rewards/chosen"],
    ["rewards_rejected", "rewards/rejected"],
    ["margins", "rewards/margins"],
  ] as const) {
    const expected = one[theirs];
    if (expected === null) compare.exact(theirs, [all[ours] === undefined ? 1 : 0], [1]);
    else compare.within("rewards", all[ours] ?? Number.NaN, numberOf(one, theirs), valueTolerance, theirs);
  }
}
