// A linear reward theta . phi fitted to judgements: ridge Bradley-Terry and Plackett-Luce by damped Newton steps.
// Convex, double precision, no randomness. Must not know where features come from.

import { fail } from "../errors/index.js";
import { type CholeskyFactor, choleskyOf, dot, normOf } from "./cholesky.js";
import { GramSum } from "./gram.js";
import { checkJudgements, choicesOf, type Judgements } from "./judgements.js";
import { minimise } from "./newton.js";

export interface FitLinearReward extends Judgements {
  /** theta minimises (1/n) sum of losses + ridge/2 |theta|^2. Default 0.01. */
  readonly ridge?: number;
  /** Newton steps at most. Default 100. */
  readonly maxSteps?: number;
}

export interface LinearReward {
  /** [size] */
  readonly theta: Float64Array;
  /** Mean loss of the judgements, without the ridge. */
  readonly loss: number;
  /** Newton steps taken. */
  readonly steps: number;
  /** Of the Hessian of the mean loss, ridge included, at theta. */
  readonly hessian: CholeskyFactor;
}

/** Curvature that is left, as a share of that at theta = 0, where a loss without a ridge counts as flat. */
const FLAT = 1e-8;

/**
 * The optimum, to rounding.
 * @throws ATTUNE_NOT_FINITE when there is none: without a ridge, judgements that theta can separate push it to infinity
 */
export function fitLinearReward(options: FitLinearReward): LinearReward {
  const { ridge = 0.01, maxSteps = 100, size } = options;
  if (!(ridge >= 0 && Number.isFinite(ridge)))
    throw fail("ATTUNE_OPTION", `Expected ridge to be >= 0 but received ${ridge}. Typical: 0.01.`);
  checkJudgements(options);
  const {
    at: theta,
    steps,
    hessian,
    ended,
  } = minimise({
    start: new Float64Array(size),
    value: (at) => objectiveAt(options, at, ridge),
    gradient: (at) => gradientAt(options, at, ridge),
    factor: (at) => factored(options, at, ridge),
    maxSteps,
  });
  if (ended) {
    if (ridge === 0) requireOptimum(options, hessian);
    return { theta, loss: meanLoss(options, theta), steps, hessian };
  }
  const text = `Expected the fit to end within ${maxSteps} Newton steps but |theta| has grown to ${normOf(theta).toPrecision(3)}.`;
  throw fail("ATTUNE_NOT_FINITE", `${text} The judgements can be separated: raise ridge above ${ridge}.`);
}

/** Where judgements can be separated the loss has no minimum: it flattens out as theta grows. */
function requireOptimum(judgements: Judgements, hessian: CholeskyFactor): void {
  const start = factored(judgements, new Float64Array(judgements.size), 0);
  if (leastPivot(hessian) > FLAT * leastPivot(start)) return;
  const text = "Expected judgements with an optimum but features can separate them: theta grows without end.";
  throw fail("ATTUNE_NOT_FINITE", `${text} Raise ridge above 0.`);
}

function leastPivot({ size, lower }: CholeskyFactor): number {
  let least = Number.POSITIVE_INFINITY;
  for (let row = 0; row < size; row++) least = Math.min(least, (lower[row * size + row] ?? 0) ** 2);
  return least;
}

/** Mean loss of judgements under theta: softplus of margins for pairs, Plackett-Luce for rankings. */
export function meanLoss(judgements: Judgements, theta: Float64Array): number {
  let sum = 0;
  forEachChoice(judgements, theta, ({ weight, scores, wins, logSum }) => {
    let won = 0;
    for (const [place, share] of wins.entries()) won += share * (scores[place] ?? 0);
    sum += weight * (logSum - won);
  });
  return sum / judgements.judgements.length;
}

function objectiveAt(judgements: Judgements, theta: Float64Array, ridge: number): number {
  return meanLoss(judgements, theta) + 0.5 * ridge * dot(theta, 0, theta, 0, theta.length);
}

/**
 * [size] of the mean loss and the ridge. `times`: how often each judgement counts (1 when absent), for refits on
 * resampled data; the mean is then over their sum.
 */
export function gradientAt(
  judgements: Judgements,
  theta: Float64Array,
  ridge: number,
  times?: Float64Array,
): Float64Array {
  const { features, size, judgements: all } = judgements;
  const gradient = new Float64Array(size);
  forEachChoice(judgements, theta, ({ number, weight, pool, wins, probabilities }) => {
    const count = weight * (times?.[number] ?? 1);
    if (count === 0) return;
    for (const [place, item] of pool.entries()) {
      const factor = count * ((probabilities[place] ?? 0) - (wins[place] ?? 0));
      for (let i = 0; i < size; i++)
        gradient[i] = (gradient[i] ?? 0) + factor * (features[item * size + i] ?? 0);
    }
  });
  const total = times === undefined ? all.length : times.reduce((sum, count) => sum + count, 0);
  return gradient.map((entry, i) => entry / total + ridge * (theta[i] ?? 0));
}

/** [size x size] Hessian of the mean loss times `factor`, plus `diagonal` on the diagonal. */
export function hessianAt(
  judgements: Judgements,
  theta: Float64Array,
  { factor = 1, diagonal = 0 }: { readonly factor?: number; readonly diagonal?: number } = {},
): Float64Array {
  const { features, size, judgements: all } = judgements;
  const sum = new GramSum(size);
  forEachChoice(judgements, theta, ({ weight, pool, probabilities }) => {
    // Covariance of the pool's features under its probabilities; of a pair p (1 - p) u u' with u = the difference.
    if (pool.length === 2) {
      const [first = 0, second = 0] = pool;
      const [p = 0, q = 0] = probabilities;
      sum.add(difference(features, size, first, second), weight * p * q);
      return;
    }
    const mean = new Float64Array(size);
    for (const [place, item] of pool.entries())
      for (let i = 0; i < size; i++)
        mean[i] = (mean[i] ?? 0) + (probabilities[place] ?? 0) * (features[item * size + i] ?? 0);
    for (const [place, item] of pool.entries()) {
      const centred = mean.map((entry, i) => (features[item * size + i] ?? 0) - entry);
      sum.add(centred, weight * (probabilities[place] ?? 0));
    }
  });
  return sum.matrix({ factor: factor / all.length, diagonal });
}

/** features[first] - features[second] */
export function difference(
  features: Float64Array,
  size: number,
  first: number,
  second: number,
): Float64Array {
  return Float64Array.from(
    { length: size },
    (_, i) => (features[first * size + i] ?? 0) - (features[second * size + i] ?? 0),
  );
}

function factored(judgements: Judgements, theta: Float64Array, ridge: number): CholeskyFactor {
  const { size } = judgements;
  const matrix = hessianAt(judgements, theta, { diagonal: ridge });
  try {
    return choleskyOf(matrix, size);
  } catch (error) {
    if (ridge > 0) throw error;
    const text =
      "Expected features that span their dimensions, and judgements that cannot be separated, for a fit without ridge.";
    throw fail("ATTUNE_NOT_FINITE", `${text} Raise ridge above 0.`, { cause: error });
  }
}

interface ScoredChoice {
  readonly number: number;
  readonly weight: number;
  readonly pool: readonly number[];
  readonly wins: readonly number[];
  readonly scores: readonly number[];
  readonly probabilities: readonly number[];
  /** log of the sum of e^score over the pool */
  readonly logSum: number;
}

function forEachChoice(
  { features, size, judgements }: Judgements,
  theta: Float64Array,
  visit: (choice: ScoredChoice) => void,
): void {
  for (const [number, judgement] of judgements.entries()) {
    const weight = judgement.weight ?? 1;
    if (weight === 0) continue;
    for (const { pool, wins } of choicesOf(judgement)) {
      const scores = pool.map((item) => dot(features, item * size, theta, 0, size));
      const largest = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - largest));
      const total = powers.reduce((sum, power) => sum + power, 0);
      const probabilities = powers.map((power) => power / total);
      visit({ number, weight, pool, wins, scores, probabilities, logSum: largest + Math.log(total) });
    }
  }
}
