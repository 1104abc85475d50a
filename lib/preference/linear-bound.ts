// How sure a linear reward is: covariance of the judged differences, widths, pessimistic and optimistic scores
// (Zhu, Jordan, Jiao 2023, arXiv 2301.11270). Pure; must not know where features come from.

import { fail } from "../errors/index.js";
import {
  addOuterProduct,
  type CholeskyFactor,
  choleskyOf,
  dot,
  multiplyTransposed,
  normOf,
  solve,
  solveLower,
} from "./cholesky.js";
import { GramSum } from "./gram.js";
import { checkJudgements, type Judgements } from "./judgements.js";
import { difference, gradientAt, hessianAt, type LinearReward } from "./linear-reward.js";
import { drawCounts, type RandomWords } from "./random-draws.js";

/** width(v) = kappa sqrt(v' S v), S the inverse of the factored matrix. */
export interface LinearBound {
  /** [size] */
  readonly theta: Float64Array;
  /** Of Sigma_D + lambda I ("gram"), or of the Hessian of the summed loss + I ("fisher"). */
  readonly factor: CholeskyFactor;
  readonly kappa: number;
  readonly kind: "gram" | "fisher";
  /** Judgements it was fitted on: what a new one is weighted by. */
  readonly count: number;
}

/** A number, f of the theorem with C = 1, or the 95% quantile of refits on resampled prompts. */
export type Kappa = number | "bound" | "calibrated";

export interface FitLinearBound extends Judgements {
  readonly reward: LinearReward;
  /** Default "gram". */
  readonly bound?: "gram" | "fisher";
  /** Default 0.01; of "gram". */
  readonly lambda?: number;
  /** Default "calibrated"; of "gram": "fisher" has kappa 1 unless a number is given. */
  readonly kappa?: Kappa;
  /** For "calibrated". Draws of resample i have row i. */
  readonly words?: RandomWords;
  /** The ridge that theta was fitted with. Default 0.01. */
  readonly ridge?: number;
  /** For kappa "bound": |theta*| <= B, and how sure. Defaults 1 and 0.05. */
  readonly rewardNorm?: number;
  readonly delta?: number;
}

/** @throws ATTUNE_OPTION for a lambda, kappa or delta out of range, and what the fit throws */
export function fitLinearBound(options: FitLinearBound): LinearBound {
  const { reward, bound = "gram", lambda = 0.01, kappa, size, judgements } = options;
  checkJudgements(options);
  const { theta } = reward;
  const count = judgements.length;
  if (bound === "fisher") {
    if (kappa !== undefined && typeof kappa !== "number")
      throw fail(
        "ATTUNE_OPTION",
        `Expected kappa to be a number with the bound "fisher" but received "${kappa}".`,
      );
    const factor = choleskyOf(hessianAt(options, theta, { factor: count, diagonal: 1 }), size);
    return { theta, factor, kappa: checkedKappa(kappa ?? 1), kind: bound, count };
  }
  if (!(lambda > 0 && Number.isFinite(lambda)))
    throw fail("ATTUNE_OPTION", `Expected lambda to be > 0 but received ${lambda}. Typical: 0.01.`);
  const factor = choleskyOf(covarianceOf(options, lambda), size);
  return { theta, factor, kappa: gramKappa(options, factor), kind: bound, count };
}

/**
 * [size x size] Sigma_D + lambda I: of pairs the mean of u u', u = phi(items[0]) - phi(items[1]); of K items the mean over
 * their K (K - 1) / 2 pairs first, so that each judgement counts once. Each is scaled by its weight, as its loss is: one
 * of weight 0 makes nothing surer.
 */
export function covarianceOf({ features, size, judgements }: Judgements, lambda = 0): Float64Array {
  const sum = new GramSum(size);
  for (const { items, weight = 1 } of judgements) {
    const [first = 0, second = 0] = items;
    if (items.length === 2) {
      sum.add(difference(features, size, first, second), weight);
      continue;
    }
    // The sum over all pairs of K items is K times the sum over items of their centred outer products.
    const mean = new Float64Array(size);
    for (const item of items)
      for (let i = 0; i < size; i++)
        mean[i] = (mean[i] ?? 0) + (features[item * size + i] ?? 0) / items.length;
    for (const item of items) {
      const centred = mean.map((entry, i) => (features[item * size + i] ?? 0) - entry);
      sum.add(centred, (2 * weight) / (items.length - 1));
    }
  }
  return sum.matrix({ factor: 1 / judgements.length, diagonal: lambda });
}

export interface BoundFactor {
  /** Dimensions of the features. */
  readonly size: number;
  /** Judgements. */
  readonly count: number;
  readonly lambda: number;
  /** B: |theta*| is at most this. */
  readonly rewardNorm: number;
  /** L: features are at most this long. Default 1. */
  readonly featureNorm?: number;
  readonly delta: number;
  /** Items of a judgement, K. Default 2. */
  readonly items?: number;
  /** C, which the theorem leaves open. Default 1. */
  readonly constant?: number;
}

/**
 * f: with probability 1 - delta the norm of theta - theta* under Sigma_D + lambda I is at most
 * C sqrt(K-factor (q + log 1/delta) / (zeta^2 n) + lambda B^2). Far too wide in practice.
 */
export function boundFactor(options: BoundFactor): number {
  const { size, count, lambda, rewardNorm, featureNorm = 1, delta, items = 2, constant = 1 } = options;
  if (!(delta > 0 && delta < 1))
    throw fail("ATTUNE_OPTION", `Expected delta in (0, 1) but received ${delta}.`);
  const reach = featureNorm * rewardNorm;
  const zeta = items === 2 ? 1 / (2 + Math.exp(reach) + Math.exp(-reach)) : Math.exp(-4 * reach);
  const spread = items === 2 ? 1 : items ** 4;
  return (
    constant *
    Math.sqrt((spread * (size + Math.log(1 / delta))) / (zeta ** 2 * count) + lambda * rewardNorm ** 2)
  );
}

/** theta . v */
export function meanScore({ theta }: LinearBound, v: Float64Array): number {
  return dot(theta, 0, v, 0, v.length);
}

/** kappa sqrt(v' S v) >= 0 */
export function width({ factor, kappa }: LinearBound, v: Float64Array): number {
  return kappa * normOf(solveLower(factor, v));
}

/** LCB: what v is worth at least. Of the mean feature of a policy minus the reference vector it is the policy's value. */
export function pessimistic(bound: LinearBound, v: Float64Array): number {
  return meanScore(bound, v) - width(bound, v);
}

/** UCB: what v may be worth. */
export function optimistic(bound: LinearBound, v: Float64Array): number {
  return meanScore(bound, v) + width(bound, v);
}

/** The parameters inside the ellipsoid under which v is worth least: theta - kappa S v / sqrt(v' S v). */
export function worstParameters({ theta, factor, kappa }: LinearBound, v: Float64Array): Float64Array {
  const direction = solve(factor, v);
  const length = Math.sqrt(dot(direction, 0, v, 0, v.length));
  return theta.map((entry, i) => entry - (length === 0 ? 0 : (kappa * (direction[i] ?? 0)) / length));
}

/**
 * The bound as if one more pair had been judged, u = its difference: widths shrink along u, theta stays. A rank-one
 * update; the new pair weighs as much as one of the fitted ones.
 */
export function withPair(bound: LinearBound, u: Float64Array): LinearBound {
  const margin = meanScore(bound, u);
  const p = 1 / (1 + Math.exp(-margin));
  const weight = bound.kind === "gram" ? 1 / bound.count : p * (1 - p);
  const factor = addOuterProduct(
    bound.factor,
    u.map((entry) => Math.sqrt(weight) * entry),
  );
  return { ...bound, factor };
}

function gramKappa(options: FitLinearBound, factor: CholeskyFactor): number {
  const { kappa = "calibrated", lambda = 0.01, size, judgements, features } = options;
  if (typeof kappa === "number") return checkedKappa(kappa);
  if (kappa === "calibrated") return calibratedKappa(options, factor);
  const { rewardNorm = 1, delta = 0.05 } = options;
  let featureNorm = 0;
  for (let at = 0; at < features.length; at += size)
    featureNorm = Math.max(featureNorm, normOf(features.subarray(at, at + size)));
  const items = judgements.reduce((most, judgement) => Math.max(most, judgement.items.length), 2);
  return boundFactor({ size, count: judgements.length, lambda, rewardNorm, featureNorm, delta, items });
}

/** Resamples, and the share of them that the ellipsoid holds. */
const RESAMPLES = 200;
const COVERED = 0.95;

/**
 * The 95% quantile of |theta_b - theta| under Sigma_D + lambda I over refits on resampled prompts. A refit is one Newton
 * step from theta with the Hessian of all judgements: the first-order bootstrap.
 */
function calibratedKappa(options: FitLinearBound, factor: CholeskyFactor): number {
  const { reward, ridge = 0.01, words, judgements } = options;
  if (words === undefined)
    throw fail("ATTUNE_OPTION", 'Expected random words for kappa "calibrated" but received none.');
  const prompts = promptNumbers(options);
  const promptCount = prompts.reduce((most, prompt) => Math.max(most, prompt), 0) + 1;
  const distances = Array.from({ length: RESAMPLES }, (_, resample) => {
    const drawn = drawCounts(words, promptCount, resample);
    const times = Float64Array.from(judgements, (_, number) => drawn[prompts[number] ?? 0] ?? 0);
    const step = solve(reward.hessian, gradientAt(options, reward.theta, ridge, times));
    return normOf(multiplyTransposed(factor, step));
  });
  return quantile(distances, COVERED);
}

/** [judgements] prompts by number, from 0. */
function promptNumbers({ judgements }: Judgements): readonly number[] {
  const numbers = new Map<number | string, number>();
  return judgements.map(({ prompt }, own) => {
    const key = prompt ?? `alone ${own}`;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}

/** Linear between the order statistics. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (place - Math.floor(place)) * (above - below);
}

function checkedKappa(kappa: number): number {
  if (kappa >= 0 && Number.isFinite(kappa)) return kappa;
  throw fail("ATTUNE_OPTION", `Expected kappa to be >= 0, "bound" or "calibrated" but received ${kappa}.`);
}
