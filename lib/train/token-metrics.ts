// Metrics of demonstrations: sums over targets, divided once over a whole update or evaluation.
// Must not compute a loss.

import type { PackedBatch } from "../data/index.js";
import type { StepResult } from "../engine/contract.js";
import type { MetricSums } from "./metrics.js";

export type TokenSum = "loss" | "entropy" | "correct" | "tokens" | "computed";

/** Adds one micro-batch. */
export function addTokenSums(sums: MetricSums<TokenSum>, batch: PackedBatch, result: StepResult): void {
  sums.add("loss", result.loss, 1);
  sums.add("tokens", batch.counts.tokens, 1);
  sums.add("computed", result.trunkRows, 1);
  for (const completion of result.completions) {
    sums.add("entropy", completion.entropy, completion.count);
    sums.add("correct", completion.correct, completion.count);
  }
}

/** The metrics of an update or evaluation, without rate and gradient norm. */
export function tokenMetrics(sums: MetricSums<TokenSum>) {
  return {
    loss: sums.sum("loss"),
    entropy: sums.mean("entropy"),
    mean_token_accuracy: sums.mean("correct"),
    tokens: sums.sum("tokens"),
    tokens_computed: sums.sum("computed"),
  };
}
