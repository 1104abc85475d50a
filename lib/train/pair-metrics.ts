// Metrics of preference pairs and rankings, under TRL's names: means over the pairs or tokens of a whole update.
// Must not compute a loss.

import type { PackedBatch } from "../data/index.js";
import type { CompletionSums, StepResult } from "../engine/contract.js";
import type { DpoMetrics, MetricSums } from "./metrics.js";

type Side = "chosen" | "rejected";

export type PairSum =
  | "loss"
  | "tokens"
  | "computed"
  | "entropy"
  | "correct"
  | "accuracies"
  | "nll"
  | `${"rewards" | "logps" | "logits"}/${Side}`;

export interface PairStep {
  readonly batch: PackedBatch;
  readonly result: StepResult;
  /** Summed reference log-probs, one per completion; undefined where no loss has a reference. */
  readonly reference: Float64Array | undefined;
  readonly rewardOf: (sums: CompletionSums, reference: number) => number;
  /** [completions] of rankings: 1 best. Of pairs undefined: the first is the chosen one. */
  readonly ranks?: Int32Array | undefined;
}

interface Answer {
  readonly sums: CompletionSums;
  readonly reward: number;
  readonly rank: number;
}

/** Adds one micro-batch. A ranking's best answer is its chosen side, the mean of the others its rejected one. */
export function addPairSums(sums: MetricSums<PairSum>, step: PairStep): void {
  const { batch, result } = step;
  sums.add("loss", result.loss, 1);
  sums.add("tokens", batch.counts.tokens, 1);
  sums.add("computed", result.trunkRows, 1);
  for (let group = 0; group < batch.rows.length; group++) {
    const answers = answersOf(step, group);
    const best = Math.min(...answers.map(({ rank }) => rank));
    addSide(
      sums,
      "chosen",
      answers.filter(({ rank }) => rank === best),
    );
    addSide(
      sums,
      "rejected",
      answers.filter(({ rank }) => rank !== best),
    );
    for (const [i, one] of answers.entries())
      for (const other of answers.slice(i + 1)) {
        if (one.rank === other.rank) continue;
        const [better, worse] = one.rank < other.rank ? [one, other] : [other, one];
        sums.add("accuracies", better.reward > worse.reward ? 1 : 0, 1);
      }
  }
}

function answersOf(
  { batch, result, reference, rewardOf, ranks }: PairStep,
  group: number,
): readonly Answer[] {
  const first = batch.groups[2 * group] ?? 0;
  const count = batch.groups[2 * group + 1] ?? 0;
  return Array.from({ length: count }, (_, i) => {
    const sums = result.completions[first + i];
    if (sums === undefined) throw new RangeError(`no sums for completion ${first + i}`);
    return { sums, reward: rewardOf(sums, reference?.[first + i] ?? 0), rank: ranks?.[first + i] ?? i + 1 };
  });
}

function addSide(sums: MetricSums<PairSum>, side: Side, answers: readonly Answer[]): void {
  for (const { sums: completion, reward } of answers) {
    sums.add(`rewards/${side}`, reward / answers.length, 1 / answers.length);
    sums.add(`logps/${side}`, completion.logprob / answers.length, 1 / answers.length);
    sums.add(`logits/${side}`, completion.meanLogit, completion.count);
    sums.add("entropy", completion.entropy, completion.count);
    if (side === "rejected") continue;
    sums.add("correct", completion.correct, completion.count);
    sums.add("nll", -completion.logprob, completion.count);
  }
}

/** The metrics of an update, without rate and gradient norm. */
export function pairMetrics(sums: MetricSums<PairSum>, { imitates }: { readonly imitates: boolean }) {
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
    ...(imitates ? { nll_loss: sums.mean("nll") } : {}),
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
