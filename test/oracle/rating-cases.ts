// Linear-reward cases of the oracle: the fit, its covariance and pessimistic choices, from lib/preference.
// Must not compute anything of it again; ratings and agreement are in agreement-cases.ts.

import { choleskyOf } from "../../lib/preference/cholesky.js";
import {
  boundFactor,
  covarianceOf,
  fitLinearReward,
  type LinearBound,
  meanScore,
  optimistic,
  pessimistic,
  width,
} from "../../lib/preference/index.js";
import { at, Comparison } from "../support/oracle-compare.js";
import { type LossCase, numberOf, numbersOf, parameterOf } from "./loss-file.js";

export interface RatingInputs {
  readonly linear_reward: {
    /** [comparisons][2 options][dimensions] */
    readonly features: readonly (readonly (readonly number[])[])[];
    /** [comparisons] the option that won */
    readonly winner: readonly number[];
    /** [policies][dimensions] */
    readonly policy_features: readonly (readonly number[])[];
    readonly reference_vector: readonly number[];
  };
}

/** README.md there: computed in double, on both sides. */
const tolerance = { relative: 1e-9, absolute: 1e-9 };

export function checkLinearRewardCase(one: LossCase, { linear_reward: inputs }: RatingInputs): void {
  const compare = new Comparison({ family: "loss", isa: "none", dtype: "fp64", name: one.case });
  const [first] = inputs.policy_features;
  const size = first?.length ?? 0;
  const judgements = inputs.winner.map((winner, i) => ({ items: [2 * i + winner, 2 * i + 1 - winner] }));
  const data = { features: Float64Array.from(inputs.features.flat(2)), size, judgements };
  const [ridge, lambda] = [parameterOf(one, "ridge"), parameterOf(one, "lambda")];
  const { theta, loss } = fitLinearReward({ ...data, ridge });
  compare.within("theta", theta, numbersOf(one, "theta"), tolerance);
  compare.within("loss of the fit", loss, numberOf(one, "nll"), tolerance);
  const covariance = covarianceOf(data, lambda);
  compare.within("covariance", covariance, numbersOf(one, "Sigma"), tolerance);
  const factor = choleskyOf(covariance, size);
  const bound = {
    theta,
    factor,
    kappa: parameterOf(one, "f"),
    kind: "gram",
    count: judgements.length,
  } as const;
  checkPolicies(one, inputs, bound, compare);
  if (one.params.delta === undefined) return;
  const f = boundFactor({
    size,
    count: judgements.length,
    lambda,
    rewardNorm: parameterOf(one, "B"),
    featureNorm: parameterOf(one, "L"),
    delta: parameterOf(one, "delta"),
    constant: parameterOf(one, "C"),
  });
  compare.within("factor f", f, parameterOf(one, "f"), tolerance);
}

/** Value, width and choice of every policy, by its mean feature less the reference vector. */
function checkPolicies(
  one: LossCase,
  { policy_features: policies, reference_vector: reference }: RatingInputs["linear_reward"],
  bound: LinearBound,
  compare: Comparison,
): void {
  const vectors = policies.map((policy) => Float64Array.from(policy, (entry, i) => entry - at(reference, i)));
  const of = (value: (bound: LinearBound, v: Float64Array) => number) => vectors.map((v) => value(bound, v));
  const unscaled = vectors.map((v) => width({ ...bound, kappa: 1 }, v));
  compare.within("uncertainty", unscaled, numbersOf(one, "uncertainty"), tolerance);
  for (const [name, choice, values] of [
    ["mean", "greedy", of(meanScore)],
    ["lcb", "pessimistic", of(pessimistic)],
    ["ucb", "optimistic", of(optimistic)],
  ] as const) {
    compare.within(`${name} of policies`, values, numbersOf(one, name), tolerance);
    compare.exact(choice, [values.indexOf(Math.max(...values))], [numberOf(one, choice)]);
  }
}
