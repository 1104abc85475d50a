// Metrics of scored answers, under TRL's names: means over pairs and answers of a whole update or evaluation.
// Must not compute a loss.

import type { JudgedPair, PackedBatch, TokenisedRow, TokenisedRows } from "../data/index.js";
import type { StepResult } from "../engine/contract.js";
import { pairCalibrationOf } from "../evaluate/calibration.js";
import { rankCorrelationOf } from "../preference/index.js";
import { MetricSums } from "./metrics.js";
import { axisOf } from "./rating-scales.js";
import type { LossPlan } from "./reward-loss.js";
import { judgedPairs } from "./reward-rows.js";

export interface RewardStep {
  readonly data: TokenisedRows;
  readonly batch: PackedBatch;
  readonly result: StepResult;
}

/** What an evaluation keeps of every answer and pair. */
interface Seen {
  readonly scores: number[];
  readonly lengths: number[];
  readonly margins: number[];
  readonly labels: number[];
}

/** What an update or an evaluation has shown so far. Of an ensemble an answer's score is the mean over its heads. */
export class RewardSums {
  readonly #plan: LossPlan;
  readonly #sums = new MetricSums<
    "loss" | "tokens" | "computed" | "rewards" | "accuracy" | "margin" | "centring"
  >();
  readonly #seen: Seen | undefined;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;

  /** An evaluation also tells how honest the scores are, which needs all of them at once. */
  constructor(plan: LossPlan, use: "training" | "evaluation") {
    this.#plan = plan;
    this.#seen = use === "training" ? undefined : { scores: [], lengths: [], margins: [], labels: [] };
  }

  add({ data, batch, result }: RewardStep): void {
    this.#sums.add("loss", result.loss, 1);
    this.#sums.add("tokens", batch.counts.tokens, 1);
    this.#sums.add("computed", result.trunkRows, 1);
    for (const [group, position] of batch.rows.entries()) {
      const row = data.at(position);
      if (row === undefined) continue;
      const first = batch.groups[2 * group] ?? 0;
      const head = this.#plan.axes === undefined ? -1 : this.#plan.axes.indexOf(axisOf(row));
      const scores = row.completions.map((_, i) => this.#score(result.scores, first + i, head));
      this.#takeAnswers(row, scores);
      for (const pair of judgedPairs(row)) this.#takePair(pair, scores);
    }
  }

  /** The metrics, without rate and gradient norm; those that the rows do not have are left out. */
  metrics() {
    const sums = this.#sums;
    const pairs = sums.count("margin") > 0;
    return {
      loss: sums.sum("loss"),
      ...(pairs ? { accuracy: sums.mean("accuracy"), margin: sums.mean("margin") } : {}),
      min_reward: this.#least,
      mean_reward: sums.mean("rewards"),
      max_reward: this.#most,
      ...(sums.count("centring") > 0 ? { centring: sums.mean("centring") } : {}),
      ...this.#honesty(),
      tokens: sums.sum("tokens"),
      tokens_computed: sums.sum("computed"),
    };
  }

  #takeAnswers({ completions }: TokenisedRow, scores: readonly number[]): void {
    for (const [i, score] of scores.entries()) {
      this.#sums.add("rewards", score, 1);
      this.#least = Math.min(this.#least, score);
      this.#most = Math.max(this.#most, score);
      this.#seen?.scores.push(score);
      this.#seen?.lengths.push(completions[i]?.length ?? 0);
    }
  }

  /** A pair's favoured side is that of the larger probability; pairs without one are in no accuracy or margin. */
  #takePair({ better, worse, label }: JudgedPair, scores: readonly number[]): void {
    const [first = Number.NaN, second = Number.NaN] = [scores[better], scores[worse]];
    const { centring } = this.#plan;
    if (centring > 0) this.#sums.add("centring", centring * (first + second) ** 2, 1);
    this.#seen?.margins.push(first - second);
    this.#seen?.labels.push(label);
    if (label === 0.5) return;
    const margin = label > 0.5 ? first - second : second - first;
    this.#sums.add("accuracy", margin > 0 ? 1 : 0, 1);
    this.#sums.add("margin", margin, 1);
  }

  /** The mean over all heads, or the score of one. */
  #score(scores: Float64Array, completion: number, head: number): number {
    const { heads } = this.#plan;
    if (head >= 0) return scores[completion * heads + head] ?? Number.NaN;
    let sum = 0;
    for (let i = 0; i < heads; i++) sum += scores[completion * heads + i] ?? Number.NaN;
    return sum / heads;
  }

  /** Calibration of the pairs, and whether length is what the scores follow: nothing where all of either are equal. */
  #honesty(): { readonly calibration_error?: number; readonly length_correlation?: number } {
    if (this.#seen === undefined) return {};
    const { scores, lengths, margins, labels } = this.#seen;
    const correlation = rankCorrelationOf(scores, lengths).spearman;
    return {
      ...(margins.length === 0 ? {} : { calibration_error: pairCalibrationOf({ margins, labels }).ece }),
      ...(Number.isFinite(correlation) ? { length_correlation: correlation } : {}),
    };
  }
}
