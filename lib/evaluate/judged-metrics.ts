// How well scores agree with what people judged: accuracy, margins, loss, calibration, dependence on length.
// Pure: scores may be a reward model's, implicit rewards or log-probs. Must not import the engine.

import { type Interval, rankCorrelationOf, ranksOf, wilsonInterval } from "../preference/index.js";
import { type Calibration, pairCalibrationOf } from "./calibration.js";

/** A row whose answers have scores and were judged. */
export interface JudgedRow {
  /** [answers]; of a pair the chosen one first. */
  readonly scores: readonly number[];
  /** [answers] tokens. */
  readonly lengths: readonly number[];
  /** Of pairs P(the first is better), 0.5 = tie; of single answers 1 good, 0 bad. */
  readonly label: number;
  /** Of rankings: 1 best, equal = not judged against each other. */
  readonly ranks?: readonly number[];
  readonly rating?: number;
}

/** What was judged. */
export type JudgedKind = "pairs" | "rankings" | "ratings" | "thumbs";

/** Of scores alone, whatever was judged. */
export interface ScoreMetrics {
  readonly min_reward: number;
  readonly mean_reward: number;
  readonly max_reward: number;
  /** Rank correlation of an answer's score with its length in tokens. */
  readonly length_spearman: number;
  readonly length_kendall: number;
}

export interface PairMetrics extends ScoreMetrics {
  /** Share of the decided pairs whose better answer scores higher; equal scores count as wrong. */
  readonly accuracy: number;
  /** Wilson, 95%; absent where no pair was decided. */
  readonly accuracy_interval?: Interval;
  /** Pairs with a side that is better; of rankings each prompt's pairs. */
  readonly decided: number;
  /** Pairs of label 0.5. */
  readonly ties: number;
  /** Mean of score(better) - score(worse), decided pairs. */
  readonly margin: number;
  /** Mean of -log P(judgement), P = sigmoid(difference of scores), soft labels as they are. */
  readonly loss: number;
  readonly calibration: Calibration;
}

export interface RankingMetrics extends PairMetrics {
  /** Share of prompts whose best-scored answers are all among those ranked best: equal scores choose nothing. */
  readonly top_accuracy: number;
  /** Mean over prompts of Kendall's tau-b between scores and ranks; those that have one. */
  readonly tau_b: number;
}

export interface RatingMetrics extends ScoreMetrics {
  /** Rank correlation of scores with ratings. */
  readonly rating_spearman: number;
  readonly rating_kendall: number;
}

export interface ThumbMetrics extends ScoreMetrics {
  /** P(a good answer scores higher than a bad one), equal scores half; NaN where one kind is missing. */
  readonly auc: number;
  readonly good: number;
  readonly bad: number;
  /** Mean score of good answers less that of bad ones. */
  readonly gap: number;
}

export type JudgedMetrics = PairMetrics | RankingMetrics | RatingMetrics | ThumbMetrics;

export interface JudgedMetricsOptions {
  readonly rows: readonly JudgedRow[];
  readonly kind: JudgedKind;
  /** Of the reliability curve. Default 10. */
  readonly bins?: number;
}

/** NaN for means over nothing. */
export function judgedMetricsOf({ rows, kind, bins = 10 }: JudgedMetricsOptions): JudgedMetrics {
  const shared = scoreMetricsOf(rows);
  switch (kind) {
    case "pairs":
      return { ...pairMetricsOf(rows.map(pairOf), bins), ...shared };
    case "rankings":
      return { ...pairMetricsOf(rows.flatMap(pairsOfRanking), bins), ...rankingMetricsOf(rows), ...shared };
    case "ratings": {
      const scores = rows.map(({ scores: [score = Number.NaN] }) => score);
      const { spearman, kendall } = rankCorrelationOf(
        scores,
        rows.map(({ rating }) => rating ?? Number.NaN),
      );
      return { rating_spearman: spearman, rating_kendall: kendall, ...shared };
    }
    case "thumbs":
      return { ...thumbMetricsOf(rows), ...shared };
  }
}

/** Range of scores and how they go with length. */
export function scoreMetricsOf(rows: readonly JudgedRow[]): ScoreMetrics {
  const scores = rows.flatMap((row) => row.scores);
  const lengths = rows.flatMap((row) => row.lengths);
  const { spearman, kendall } = rankCorrelationOf(scores, lengths);
  return {
    min_reward: scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY),
    mean_reward: meanOf(scores),
    max_reward: scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY),
    length_spearman: spearman,
    length_kendall: kendall,
  };
}

/** Two judged answers. */
interface JudgedPair {
  /** score(first) - score(second) */
  readonly margin: number;
  /** P(first is better) */
  readonly label: number;
  /** The pairs of a prompt weigh 1 together. */
  readonly weight: number;
}

function pairOf({ scores, label }: JudgedRow): JudgedPair {
  return { margin: (scores[0] ?? Number.NaN) - (scores[1] ?? Number.NaN), label, weight: 1 };
}

/** All pairs of unequal rank, better one first. */
function pairsOfRanking({ scores, ranks = [] }: JudgedRow): readonly JudgedPair[] {
  const pairs = ranks.flatMap((rank, better) =>
    ranks.flatMap((other, worse) => (rank < other ? [(scores[better] ?? 0) - (scores[worse] ?? 0)] : [])),
  );
  return pairs.map((margin) => ({ margin, label: 1, weight: 1 / pairs.length }));
}

type OfPairs = Omit<PairMetrics, keyof ScoreMetrics>;

function pairMetricsOf(pairs: readonly JudgedPair[], bins: number): OfPairs {
  const decided = pairs.filter(({ label }) => label !== 0.5);
  let [weights, right, margins, losses, all] = [0, 0, 0, 0, 0];
  for (const { margin, label, weight } of decided) {
    const toBetter = label > 0.5 ? margin : -margin;
    weights += weight;
    right += toBetter > 0 ? weight : 0;
    margins += weight * toBetter;
  }
  for (const { margin, label, weight } of pairs) {
    losses += weight * (label * softplus(-margin) + (1 - label) * softplus(margin));
    all += weight;
  }
  const calibration = pairCalibrationOf({
    margins: pairs.map(({ margin }) => margin),
    labels: pairs.map(({ label }) => label),
    weights: pairs.map(({ weight }) => weight),
    bins,
  });
  return {
    accuracy: right / weights,
    // Pairs of one prompt are no independent draws: prompts are counted. Rounding must not lead beyond the count.
    ...(weights > 0
      ? { accuracy_interval: wilsonInterval({ successes: Math.min(right, weights), count: weights }) }
      : {}),
    decided: decided.length,
    ties: pairs.length - decided.length,
    margin: margins / weights,
    loss: losses / all,
    calibration,
  };
}

function rankingMetricsOf(rows: readonly JudgedRow[]): Pick<RankingMetrics, "top_accuracy" | "tau_b"> {
  const tops = rows.map(({ scores, ranks = [] }) => {
    const [highest, best] = [Math.max(...scores), Math.min(...ranks)];
    return scores.every((score, i) => score < highest || ranks[i] === best) ? 1 : 0;
  });
  const taus = rows.map(({ scores, ranks = [] }) => -rankCorrelationOf(scores, ranks).kendall);
  return { top_accuracy: meanOf(tops), tau_b: meanOf(taus.filter((tau) => !Number.isNaN(tau))) };
}

function thumbMetricsOf(rows: readonly JudgedRow[]): Omit<ThumbMetrics, keyof ScoreMetrics> {
  const scores = rows.map(({ scores: [score = Number.NaN] }) => score);
  const isGood = rows.map(({ label }) => label > 0.5);
  const ranks = ranksOf(scores);
  const good = isGood.filter((one) => one).length;
  const bad = rows.length - good;
  // Mann and Whitney: ranks of the good ones, less what they have among themselves.
  const sum = isGood.reduce((total, one, i) => total + (one ? (ranks[i] ?? 0) : 0), 0);
  const meanWhere = (wanted: boolean) => meanOf(scores.filter((_, i) => isGood[i] === wanted));
  return {
    auc: (sum - (good * (good + 1)) / 2) / (good * bad),
    good,
    bad,
    gap: meanWhere(true) - meanWhere(false),
  };
}

/** log(1 + e^z) = -log sigmoid(-z) without overflow. */
export function softplus(z: number): number {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
