// How honest predicted probabilities are: reliability curve, expected calibration error and Brier score.
// Pure numbers; must not import the engine.

import { fail } from "../errors/index.js";

export interface CalibrationInput {
  /** [n] predicted P(event), 0 to 1. For a preference pair: P(chosen is better) = sigmoid(margin). */
  readonly probabilities: ArrayLike<number>;
  /** [n] what happened: 1 = event, 0 = not, anything between for a soft label. */
  readonly outcomes: ArrayLike<number>;
  /** [n] how much each counts; 1 when absent. */
  readonly weights?: ArrayLike<number>;
  /** Bins of equal width over [0, 1]. Default 10. */
  readonly bins?: number;
}

/** One point of the reliability curve. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  /** Summed weight of the bin: a number of predictions where all weights are 1. */
  readonly count: number;
  /** Mean prediction; absent in an empty bin. */
  readonly predicted?: number;
  /** Mean outcome; absent in an empty bin. */
  readonly observed?: number;
}

export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: sum over bins of (share of the bin) |observed - predicted|. */
  readonly ece: number;
  /** Mean (probability - outcome)^2. */
  readonly brier: number;
  /** Predictions that were counted. */
  readonly count: number;
}

/** A bin while it is filled. */
interface BinSums {
  weight: number;
  predicted: number;
  observed: number;
}

/**
 * Reliability curve, ECE and Brier score of predictions; all NaN where nothing was predicted.
 * @throws ATTUNE_SHAPE when the lengths differ, ATTUNE_OPTION for bins, ATTUNE_NOT_FINITE for a value outside [0, 1]
 */
export function calibrationOf({
  probabilities,
  outcomes,
  weights,
  bins = 10,
}: CalibrationInput): Calibration {
  requireLengths(probabilities, outcomes, weights);
  if (!Number.isInteger(bins) || bins < 1)
    throw fail("ATTUNE_OPTION", `Expected bins to be a whole number >= 1 but received ${bins}. Typical: 10.`);
  const sums = Array.from({ length: bins }, (): BinSums => ({ weight: 0, predicted: 0, observed: 0 }));
  let [total, squares] = [0, 0];
  for (let i = 0; i < probabilities.length; i++) {
    const probability = share("probabilities", probabilities, i);
    const outcome = share("outcomes", outcomes, i);
    const weight = weights?.[i] ?? 1;
    const bin = sums[Math.min(bins - 1, Math.floor(probability * bins))];
    if (bin === undefined) continue;
    bin.weight += weight;
    bin.predicted += weight * probability;
    bin.observed += weight * outcome;
    total += weight;
    squares += weight * (probability - outcome) ** 2;
  }
  let error = 0;
  for (const bin of sums) error += Math.abs(bin.observed - bin.predicted);
  return {
    bins: sums.map((bin, i) => finishedBin(bin, i, bins)),
    ece: error / total,
    brier: squares / total,
    count: probabilities.length,
  };
}

/** P(chosen is better) of margins and the labels beside them. */
export interface PairCalibrationInput {
  /** [pairs] score of chosen minus score of rejected. */
  readonly margins: ArrayLike<number>;
  /** [pairs] P(chosen is better) as people judged; 1 when absent. */
  readonly labels?: ArrayLike<number>;
  /** [pairs] how much each counts; 1 when absent. */
  readonly weights?: ArrayLike<number>;
  readonly bins?: number;
}

/**
 * Calibration of pairs by P = sigmoid(margin). Which side of a pair is called chosen is a convention, so each pair counts
 * half in either order: the curve is symmetric about 1/2, and a pair still counts once.
 */
export function pairCalibrationOf({
  margins,
  labels,
  weights,
  bins = 10,
}: PairCalibrationInput): Calibration {
  const pairs = margins.length;
  const probabilities = new Float64Array(2 * pairs);
  const outcomes = new Float64Array(2 * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const margin = margins[pair] ?? Number.NaN;
    const label = labels === undefined ? 1 : (labels[pair] ?? Number.NaN);
    probabilities.set([sigmoid(margin), sigmoid(-margin)], 2 * pair);
    outcomes.set([label, 1 - label], 2 * pair);
  }
  const halves = Float64Array.from({ length: 2 * pairs }, (_, i) => (weights?.[i >> 1] ?? 1) / 2);
  return { ...calibrationOf({ probabilities, outcomes, weights: halves, bins }), count: pairs };
}

/** 1 / (1 + e^-z) without overflow. */
export function sigmoid(z: number): number {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

function finishedBin({ weight, predicted, observed }: BinSums, i: number, bins: number): CalibrationBin {
  const place = { from: i / bins, to: (i + 1) / bins, count: weight };
  return weight === 0 ? place : { ...place, predicted: predicted / weight, observed: observed / weight };
}

function share(name: string, values: ArrayLike<number>, i: number): number {
  const value = values[i] ?? Number.NaN;
  if (value >= 0 && value <= 1) return value;
  const text = `Expected ${name}[${i}] to be in [0, 1] but received ${value}. Look at the scores it was made of.`;
  throw fail("ATTUNE_NOT_FINITE", text, { details: { index: i } });
}

function requireLengths(
  probabilities: ArrayLike<number>,
  outcomes: ArrayLike<number>,
  weights: ArrayLike<number> | undefined,
): void {
  const given = weights?.length ?? probabilities.length;
  if (outcomes.length === probabilities.length && given === probabilities.length) return;
  const text = `Expected as many outcomes and weights as probabilities (${probabilities.length})`;
  throw fail("ATTUNE_SHAPE", `${text} but got ${outcomes.length} outcomes and ${given} weights.`);
}
