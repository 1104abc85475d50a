// Plackett-Luce ratings (Plackett 1975; Luce 1959) of items from rankings of some of them.
// Pure, double precision; must not know what the items are.

import { fail } from "../errors/index.js";
import type { CholeskyFactor } from "./cholesky.js";
import { type Choice, choicesOf, problemOfJudgement } from "./judgements.js";
import { minimise } from "./newton.js";
import {
  checkPriorSd,
  factorOfRatings,
  meanIsHeld,
  meanOf,
  noOptimum,
  standardErrorsOf,
} from "./rating-prior.js";

export interface RankedItems {
  /** Different items, from 0. */
  readonly items: readonly number[];
  /** One rank per item, 1 best; equal ranks are ties, which share a pool. */
  readonly ranks: readonly number[];
  /** Only the best so many have a place; the others are in no order. */
  readonly placed?: number;
  /** Default 1. */
  readonly weight?: number;
}

export interface FitPlackettLuce {
  readonly items: number;
  readonly rankings: readonly RankedItems[];
  /** Of the normal prior of every rating. Default 2; Infinity for none, where the ratings have mean 0 instead. */
  readonly priorSd?: number;
  readonly start?: Float64Array;
}

export interface PlackettLuce {
  /** [items] in log-odds: the best of a pool is item i with probability e^rating_i / sum of e^rating. */
  readonly ratings: Float64Array;
  /** [items] from the inverse Hessian. */
  readonly standardErrors: Float64Array;
  readonly logLikelihood: number;
}

const MAX_STEPS = 100;

/**
 * The most probable ratings.
 * @throws ATTUNE_DATA for rankings that are none; ATTUNE_NOT_FINITE where there is no optimum
 */
export function fitPlackettLuce({ items, rankings, priorSd = 2, start }: FitPlackettLuce): PlackettLuce {
  checkPriorSd(priorSd);
  for (const [number, ranking] of rankings.entries()) {
    const problem = problemOfJudgement(ranking, items);
    if (problem !== undefined) throw fail("ATTUNE_DATA", `Ranking ${number}: ${problem}.`);
  }
  const choices = rankings.flatMap((ranking) =>
    choicesOf(ranking).map((choice) => ({ ...choice, weight: ranking.weight ?? 1 })),
  );
  const fit = new PosteriorOfChoices(items, choices, priorSd);
  const { at, hessian, ended } = minimise({
    start: start ?? new Float64Array(items),
    value: (x) => fit.value(x),
    gradient: (x) => fit.gradient(x),
    factor: (x) => fit.factor(x),
    maxSteps: MAX_STEPS,
  });
  if (!ended) throw noOptimum(`the ratings still grow after ${MAX_STEPS} steps`);
  const standardErrors = standardErrorsOf(hessian, items, meanIsHeld(priorSd));
  return { ratings: at, standardErrors, logLikelihood: -fit.loss(at) };
}

class PosteriorOfChoices {
  private readonly precision: number;
  private readonly held: boolean;

  constructor(
    private readonly items: number,
    private readonly choices: readonly (Choice & { readonly weight: number })[],
    priorSd: number,
  ) {
    this.precision = 1 / priorSd ** 2;
    this.held = meanIsHeld(priorSd);
  }

  value(x: Float64Array): number {
    let sum = this.loss(x);
    for (const rating of x) sum += 0.5 * this.precision * rating ** 2;
    return this.held ? sum + 0.5 * this.items * meanOf(x) ** 2 : sum;
  }

  loss(x: Float64Array): number {
    let sum = 0;
    for (const { pool, wins, weight } of this.choices) {
      const { logSum } = shares(pool, x);
      for (const [place, item] of pool.entries())
        sum += weight * (wins[place] ?? 0) * (logSum - (x[item] ?? 0));
    }
    return sum;
  }

  gradient(x: Float64Array): Float64Array {
    const centre = this.held ? meanOf(x) : 0;
    const gradient = x.map((rating) => this.precision * rating + centre);
    for (const { pool, wins, weight } of this.choices) {
      const { probabilities } = shares(pool, x);
      for (const [place, item] of pool.entries())
        gradient[item] = (gradient[item] ?? 0) + weight * ((probabilities[place] ?? 0) - (wins[place] ?? 0));
    }
    return gradient;
  }

  factor(x: Float64Array): CholeskyFactor {
    const { items } = this;
    const matrix = new Float64Array(items * items).fill(this.held ? 1 / items : 0);
    const add = (row: number, column: number, value: number) => {
      matrix[row * items + column] = (matrix[row * items + column] ?? 0) + value;
    };
    for (let i = 0; i < items; i++) add(i, i, this.precision);
    for (const { pool, weight } of this.choices) {
      const { probabilities } = shares(pool, x);
      for (const [a, first] of pool.entries()) {
        add(first, first, weight * (probabilities[a] ?? 0));
        for (const [b, second] of pool.entries())
          add(first, second, -weight * (probabilities[a] ?? 0) * (probabilities[b] ?? 0));
      }
    }
    return factorOfRatings(matrix, items);
  }
}

/** Softmax over a pool. */
function shares(pool: readonly number[], x: Float64Array) {
  const largest = Math.max(...pool.map((item) => x[item] ?? 0));
  const powers = pool.map((item) => Math.exp((x[item] ?? 0) - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return { probabilities: powers.map((power) => power / total), logSum: largest + Math.log(total) };
}
