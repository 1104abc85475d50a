// Bradley-Terry ratings (Bradley & Terry 1952) of items from games between two of them, with ties and with terms that
// belong to a game rather than to an item: the side that was shown left, a difference of lengths.
// Pure, double precision; must not know what the items are.

import { fail } from "../errors/index.js";
import type { CholeskyFactor } from "./cholesky.js";
import { minimise } from "./newton.js";
import {
  checkPriorSd,
  factorOfRatings,
  meanIsHeld,
  meanOf,
  noOptimum,
  standardErrorsOf,
} from "./rating-prior.js";

/** What is added to the difference of two items' ratings. */
export interface GameTerm {
  /** Of FitBradleyTerry.terms. */
  readonly term: number;
  /** Times its coefficient. */
  readonly value: number;
}

export interface Game {
  /** Two items, from 0. */
  readonly first: number;
  readonly second: number;
  /** Of the first: 1 won, 0 lost, 0.5 tied; between them a soft label. */
  readonly score: number;
  /** Default 1. */
  readonly weight?: number;
  readonly terms?: readonly GameTerm[];
}

export interface FitBradleyTerry {
  readonly items: number;
  readonly games: readonly Game[];
  /**
   * Standard deviation of the normal prior of every rating, of mean 0: without one, an item that never loses grows for
   * ever. Default 2; Infinity for none, where the ratings have mean 0 instead.
   */
  readonly priorSd?: number;
  /** Standard deviations of the priors of the terms' coefficients, by term. */
  readonly terms?: readonly number[];
  /** "half": a tie is half a win of each. "davidson": a third outcome of its own (Davidson 1970). Default "half". */
  readonly ties?: "half" | "davidson";
  /** Where to begin: the parameters of a fit like this one. */
  readonly start?: Float64Array;
}

export interface BradleyTerry {
  /** [items] in log-odds: sigma(a - b) is the probability that a beats b where nothing else plays a part. */
  readonly ratings: Float64Array;
  /** [items] from the inverse Hessian; they take the games to be independent, which those of one annotator are not. */
  readonly standardErrors: Float64Array;
  /** [terms] */
  readonly coefficients: Float64Array;
  readonly coefficientErrors: Float64Array;
  /** Davidson's: how much two equal items tie, P(tie) = nu / (2 + nu). Absent where a tie is half a win. */
  readonly tieStrength?: number;
  /** Of the games, without priors. */
  readonly logLikelihood: number;
  /** [items + terms + (davidson) 1]: for `start`. */
  readonly parameters: Float64Array;
  /** Of the Hessian of the negative log posterior at the optimum. */
  readonly hessian: CholeskyFactor;
}

/** Of Davidson's log nu: ties that never, or always, come keep it finite. */
const TIE_PRIOR_SD = 2;
const MAX_STEPS = 100;

/**
 * The most probable ratings: argmin of sum of weight * loss + sum of rating^2 / (2 priorSd^2) + the same of the terms.
 * @throws ATTUNE_DATA for games that are none; ATTUNE_NOT_FINITE where there is no optimum: without a prior, items that
 * no path of games connects, or that never lose
 */
export function fitBradleyTerry(options: FitBradleyTerry): BradleyTerry {
  checkGames(options);
  const fit = new PosteriorOfGames(options);
  const { at, hessian, ended } = minimise({
    start: options.start ?? new Float64Array(fit.size),
    value: (x) => fit.value(x),
    gradient: (x) => fit.gradient(x),
    factor: (x) => fit.factor(x),
    maxSteps: MAX_STEPS,
  });
  if (!ended) throw noOptimum(`the ratings still grow after ${MAX_STEPS} steps`);
  return fit.result(at, hessian);
}

/** Elo's scale: 400 points are odds of ten to one. */
export function eloScale(rating: number): number {
  return 1000 + (rating * 400) / Math.LN10;
}

function checkGames({ items, games, terms = [], priorSd = 2 }: FitBradleyTerry): void {
  checkPriorSd(priorSd);
  const badTerm = terms.find((sd) => !(sd > 0));
  if (badTerm !== undefined)
    throw fail("ATTUNE_OPTION", `Expected deviations of terms above 0 but received ${badTerm}.`);
  for (const [number, { first, second, score, weight = 1 }] of games.entries()) {
    const problem = [first, second].some((item) => !(Number.isInteger(item) && item >= 0 && item < items))
      ? `two items from 0 to ${items - 1} but found ${first} and ${second}`
      : first === second
        ? `two different items but found ${first} twice`
        : !(score >= 0 && score <= 1)
          ? `a score from 0 to 1 but found ${score}`
          : !(weight >= 0 && Number.isFinite(weight))
            ? `a weight of 0 or more but found ${weight}`
            : undefined;
    if (problem !== undefined) throw fail("ATTUNE_DATA", `Game ${number}: expected ${problem}.`);
  }
}

/** log(1 + e^x) without overflow. */
function softplus(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

/** What a game's loss is at a difference `eta` (and log nu), with its derivatives. */
interface GameLoss {
  value: number;
  /** By eta, by log nu. */
  slope: number;
  tieSlope: number;
  curvature: number;
  mixed: number;
  tieCurvature: number;
}

class PosteriorOfGames {
  readonly size: number;
  private readonly items: number;
  private readonly games: readonly Game[];
  /** [size] of the priors: 1 / sd^2 */
  private readonly precisions: Float64Array;
  private readonly held: boolean;
  private readonly tieAt: number | undefined;

  constructor({ items, games, priorSd = 2, terms = [], ties = "half" }: FitBradleyTerry) {
    this.items = items;
    this.games = games;
    this.held = meanIsHeld(priorSd);
    this.tieAt = ties === "davidson" ? items + terms.length : undefined;
    this.size = items + terms.length + (this.tieAt === undefined ? 0 : 1);
    const deviations = [
      ...Array.from({ length: items }, () => priorSd),
      ...terms,
      ...(this.tieAt === undefined ? [] : [TIE_PRIOR_SD]),
    ];
    this.precisions = Float64Array.from(deviations, (sd) => 1 / sd ** 2);
  }

  value(x: Float64Array): number {
    let sum = this.loss(x);
    for (let i = 0; i < this.size; i++) sum += 0.5 * (this.precisions[i] ?? 0) * (x[i] ?? 0) ** 2;
    return this.held ? sum + 0.5 * this.items * meanOf(x, this.items) ** 2 : sum;
  }

  gradient(x: Float64Array): Float64Array {
    const gradient = x.map((entry, i) => (this.precisions[i] ?? 0) * entry);
    const add = (at: number, value: number) => {
      gradient[at] = (gradient[at] ?? 0) + value;
    };
    this.forEachGame(x, (game, weight, loss) => {
      for (const { at, value } of rowOf(game, this.items)) add(at, weight * loss.slope * value);
      if (this.tieAt !== undefined) add(this.tieAt, weight * loss.tieSlope);
    });
    if (this.held) {
      const mean = meanOf(x, this.items);
      for (let i = 0; i < this.items; i++) add(i, mean);
    }
    return gradient;
  }

  factor(x: Float64Array): CholeskyFactor {
    const { size } = this;
    const matrix = new Float64Array(size * size);
    const add = (row: number, column: number, value: number) => {
      matrix[row * size + column] = (matrix[row * size + column] ?? 0) + value;
    };
    for (let i = 0; i < size; i++) add(i, i, this.precisions[i] ?? 0);
    this.forEachGame(x, (game, weight, loss) => {
      const row = rowOf(game, this.items);
      for (const a of row) for (const b of row) add(a.at, b.at, weight * loss.curvature * a.value * b.value);
      if (this.tieAt === undefined) return;
      for (const a of row) {
        add(a.at, this.tieAt, weight * loss.mixed * a.value);
        add(this.tieAt, a.at, weight * loss.mixed * a.value);
      }
      add(this.tieAt, this.tieAt, weight * loss.tieCurvature);
    });
    // The direction that no game can tell, all ratings together.
    if (this.held)
      for (let i = 0; i < this.items; i++) for (let j = 0; j < this.items; j++) add(i, j, 1 / this.items);
    return factorOfRatings(matrix, size);
  }

  result(x: Float64Array, hessian: CholeskyFactor): BradleyTerry {
    const { items } = this;
    const errors = standardErrorsOf(hessian, items, this.held);
    const end = this.tieAt ?? this.size;
    return {
      ratings: x.slice(0, items),
      standardErrors: errors.slice(0, items),
      coefficients: x.slice(items, end),
      coefficientErrors: errors.slice(items, end),
      ...(this.tieAt === undefined ? {} : { tieStrength: Math.exp(x[this.tieAt] ?? 0) }),
      logLikelihood: -this.loss(x),
      parameters: x,
      hessian,
    };
  }

  private loss(x: Float64Array): number {
    let sum = 0;
    this.forEachGame(x, (_, weight, { value }) => {
      sum += weight * value;
    });
    return sum;
  }

  private forEachGame(x: Float64Array, visit: (game: Game, weight: number, loss: GameLoss) => void): void {
    const logNu = this.tieAt === undefined ? undefined : x[this.tieAt];
    for (const game of this.games) {
      const { weight = 1 } = game;
      if (weight !== 0) visit(game, weight, lossOf(game, x, this.items, logNu));
    }
  }
}

interface Part {
  /** Of the parameters. */
  readonly at: number;
  readonly value: number;
}

/** Which parameters make up the difference of a game. */
function rowOf({ first, second, terms = [] }: Game, items: number): readonly Part[] {
  return [
    { at: first, value: 1 },
    { at: second, value: -1 },
    ...terms.map(({ term, value }) => ({ at: items + term, value })),
  ];
}

/** [games] the gradient of each game's loss by the parameters of a fit, weight aside. */
export function slopesOf(
  games: readonly Game[],
  { parameters, ratings, tieStrength }: BradleyTerry,
): readonly (readonly Part[])[] {
  const items = ratings.length;
  const logNu = tieStrength === undefined ? undefined : parameters.at(-1);
  return games.map((game) => {
    const { slope, tieSlope } = lossOf(game, parameters, items, logNu);
    const parts = rowOf(game, items).map(({ at, value }) => ({ at, value: slope * value }));
    return logNu === undefined ? parts : [...parts, { at: parameters.length - 1, value: tieSlope }];
  });
}

function lossOf(
  { first, second, score, terms = [] }: Game,
  x: Float64Array,
  items: number,
  logNu: number | undefined,
): GameLoss {
  let eta = (x[first] ?? 0) - (x[second] ?? 0);
  for (const { term, value } of terms) eta += value * (x[items + term] ?? 0);
  return logNu === undefined ? halfTies(eta, score) : davidson(eta, logNu, score);
}

function halfTies(eta: number, score: number): GameLoss {
  const p = 1 / (1 + Math.exp(-eta));
  return {
    value: score * softplus(-eta) + (1 - score) * softplus(eta),
    slope: p - score,
    tieSlope: 0,
    curvature: p * (1 - p),
    mixed: 0,
    tieCurvature: 0,
  };
}

/** Outcomes win, tie, loss with logits eta/2, log nu, -eta/2; a soft score shares between its two neighbours. */
function davidson(eta: number, logNu: number, score: number): GameLoss {
  const largest = Math.max(Math.abs(eta) / 2, logNu);
  const [win, tie, lose] = [eta / 2, logNu, -eta / 2].map((logit) => Math.exp(logit - largest)) as [
    number,
    number,
    number,
  ];
  const total = win + tie + lose;
  const [pWin, pTie, pLose] = [win / total, tie / total, lose / total];
  // 1: a win; 0.5: a tie; 0: a loss.
  const tied = 1 - Math.abs(2 * score - 1);
  const gap = pWin - pLose;
  return {
    value: largest + Math.log(total) - (score - 0.5) * eta - tied * logNu,
    slope: gap / 2 - (score - 0.5),
    tieSlope: pTie - tied,
    curvature: (pWin + pLose - gap * gap) / 4,
    mixed: (-pTie * gap) / 2,
    tieCurvature: pTie * (1 - pTie),
  };
}
