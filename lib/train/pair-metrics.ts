// Metrics of preference pairs, under TRL's names: means over the pairs or tokens of a whole update.
// Must not compute a loss.

import type { PackedBatch } from "../data/index.js";
import type { CompletionSums, StepResult } from "../engine/contract.js";
import type { DpoMetrics, MetricSums } from "./metrics.js";

export type PairSum =
  | "loss"
  | "tokens"
  | "computed"
  | "entropy"
  | "correct"
  | "accuracies"
  | `${"rewards" | "logps" | "logits"}/${"chosen" | "rejected"}`;

export interface PairStep {
  readonly batch: PackedBatch;
  readonly result: StepResult;
  /** Summed reference log-probs, one per completion. */
  readonly reference: Float64Array;
  readonly beta: number;
}

const sides = ["chosen", "rejected"] as const;

/** Adds one micro-batch: d = logp - reference per side, reward = beta d. */
export function addPairSums(sums: MetricSums<PairSum>, { batch, result, reference, beta }: PairStep): void {
  sums.add("loss", result.loss, 1);
  sums.add("tokens", batch.counts.tokens, 1);
  sums.add("computed", result.trunkRows, 1);
  for (let pair = 0; pair < batch.rows.length; pair++) {
    const first = batch.groups[2 * pair] ?? 0;
    const rewards = sides.map((side, i) => {
      const completion = result.completions[first + i];
      if (completion === undefined) throw new RangeError(`no sums for completion ${first + i}`);
      const reward = beta * (completion.logprob - (reference[first + i] ?? 0));
      sums.add(`rewards/${side}`, reward, 1);
      addSide(sums, side, completion);
      return reward;
    });
    sums.add("accuracies", (rewards[0] ?? 0) > (rewards[1] ?? 0) ? 1 : 0, 1);
  }
}

function addSide(sums: MetricSums<PairSum>, side: (typeof sides)[number], completion: CompletionSums): void {
  sums.add(`logps/${side}`, completion.logprob, 1);
  sums.add(`logits/${side}`, completion.meanLogit, completion.count);
  sums.add("entropy", completion.entropy, completion.count);
  if (side === "chosen") sums.add("correct", completion.correct, completion.count);
}

/** The metrics of an update, without rate and gradient norm. */
export function pairMetrics(sums: MetricSums<PairSum>) {
  return {
    loss: sums.sum("loss"),
    entropy: sums.mean("entropy"),
    mean_token_accuracy: sums.mean("correct"),
    "rewards/chosen": sums.mean("rewards/chosen"),
    "rewards/rejected": sums.mean("rewards/rejected"),
    "rewards/margins": sums.mean("rewards/chosen") - sums.mean("rewards/rejected"),
    "rewards/accuracies": sums.mean("accuracies"),
    "logps/chosen": sums.mean("logps/chosen"),
    "logps/rejected": sums.mean("logps/rejected"),
    "logits/chosen": sums.mean("logits/chosen"),
    "logits/rejected": sums.mean("logits/rejected"),
    tokens: sums.sum("tokens"),
    tokens_computed: sums.sum("computed"),
  } satisfies Omit<
    DpoMetrics,
    | "step"
    | "split"
    | "learning_rate"
    | "grad_norm"
    | "num_tokens"
    | "step_ms"
    | "tokens_per_second"
    | "peak_rss_bytes"
  >;
}
