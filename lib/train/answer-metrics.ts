// Metrics of judged single answers, under TRL's names: means over the good and over the bad answers of a whole update.
// Must not compute a loss.

import type { PackedBatch } from "../data/index.js";
import type { StepResult, UnpairedLoss } from "../engine/contract.js";
import type { KtoMetrics, MetricSums } from "./metrics.js";

export const sides = ["chosen", "rejected"] as const;

export type AnswerSum =
  | "loss"
  | "tokens"
  | "computed"
  | "entropy"
  | "correct"
  | `${"rewards" | "logps" | "logits"}/${(typeof sides)[number]}`;

export interface AnswerStep {
  readonly batch: PackedBatch;
  readonly result: StepResult;
  readonly loss: Pick<UnpairedLoss, "beta" | "labels" | "reference">;
}

/** Adds one micro-batch: d = logp - reference, reward = beta d; good answers count as chosen, bad ones as rejected. */
export function addAnswerSums(sums: MetricSums<AnswerSum>, step: AnswerStep): void {
  const { batch, result } = step;
  const { beta, labels, reference } = step.loss;
  sums.add("loss", result.loss, 1);
  sums.add("tokens", batch.counts.tokens, 1);
  sums.add("computed", result.trunkRows, 1);
  for (const [row, { logprob, entropy, meanLogit, correct, count }] of result.completions.entries()) {
    const side = labels[row] === 1 ? "chosen" : "rejected";
    sums.add(`rewards/${side}`, beta * (logprob - (reference[row] ?? 0)), 1);
    sums.add(`logps/${side}`, logprob, 1);
    sums.add(`logits/${side}`, meanLogit, count);
    sums.add("entropy", entropy, count);
    sums.add("correct", correct, count);
  }
}

/** The metrics of an update, without rate and gradient norm; those of a side that is not there are left out. */
export function answerMetrics(sums: MetricSums<AnswerSum>, kl: number | undefined) {
  const [good = 0, bad = 0] = sides.map((side) => sums.count(`rewards/${side}`));
  const margins = sums.mean("rewards/chosen") - sums.mean("rewards/rejected");
  return {
    loss: sums.sum("loss"),
    ...(kl === undefined ? {} : { kl }),
    entropy: sums.mean("entropy"),
    mean_token_accuracy: sums.mean("correct"),
    ...(good === 0 ? {} : sideMetrics(sums, "chosen")),
    ...(bad === 0 ? {} : sideMetrics(sums, "rejected")),
    ...(good === 0 || bad === 0 ? {} : { "rewards/margins": margins }),
    "count/desirable": good,
    "count/undesirable": bad,
    tokens: sums.sum("tokens"),
    tokens_computed: sums.sum("computed"),
  } satisfies Partial<KtoMetrics>;
}

function sideMetrics<Side extends (typeof sides)[number]>(sums: MetricSums<AnswerSum>, side: Side) {
  const names = [`rewards/${side}`, `logps/${side}`, `logits/${side}`] as const;
  return Object.fromEntries(names.map((name) => [name, sums.mean(name)])) as Record<
    (typeof names)[number],
    number
  >;
}
