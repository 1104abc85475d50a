// Rewards, advantages, whitening and the KL controller of the oracle's rollouts, from lib/rollout.
// Must not compute anything of it again.

import { expect } from "chai";
import {
  controlKl,
  generalisedAdvantages,
  groupAdvantages,
  type KlController,
  type KlEstimator,
  leaveOneOutAdvantages,
  type MissingEosTreatment,
  objectiveMetrics,
  penalisedScores,
  startsOf,
  tokenRewards,
  treatMissingEos,
  whiten,
} from "../../lib/rollout/index.js";
import { at, Comparison } from "../support/oracle-compare.js";
import { type LossCase, type LossFile, numberOf, numbersOf, parameterOf } from "./loss-file.js";

/** [responses][tokens], junk beyond the length of a response. */
type Padded = readonly (readonly number[])[];

export interface RolloutInputs {
  readonly lengths: readonly number[];
  readonly has_eos: readonly number[];
  readonly logprobs: Padded;
  readonly ref_logprobs: Padded;
  readonly values: Padded;
  readonly scores: readonly number[];
}

export interface GroupRewardInputs {
  readonly group: number;
  /** [prompts][samples] */
  readonly rewards: Padded;
  readonly rloo_beta: number;
  readonly lengths: readonly number[];
  readonly old_logprobs: Padded;
  readonly ref_logprobs: Padded;
}

/** README.md there: what a double implementation should meet. */
const tolerance = { relative: 1e-10, absolute: 1e-10 };

const comparisonOf = (name: string) => new Comparison({ family: "loss", isa: "none", dtype: "fp64", name });

/** The counted tokens, one response behind the other. */
function counted(rows: Padded, lengths: readonly number[]): number[] {
  return rows.flatMap((row, i) => row.slice(0, lengths[i]));
}

function paddedOf(one: LossCase, name: string): Padded {
  return one[name] as Padded;
}

export function checkTokenRewardCase(one: LossCase, inputs: RolloutInputs): void {
  const compare = comparisonOf(`rewards ${one.case}`);
  const { request, rewards } = rewardsOf(one, inputs);
  compare.within("scores", request.scores, numbersOf(one, "scores"), tolerance);
  compare.within("token rewards", rewards, counted(paddedOf(one, "rewards"), inputs.lengths), tolerance);
  const metrics = objectiveMetrics(request);
  for (const [theirs, ours] of [
    ["objective_kl", "objective/kl"],
    ["objective_non_score_reward", "objective/non_score_reward"],
    ["objective_scores", "objective/scores"],
    ["objective_rlhf_reward", "objective/rlhf_reward"],
  ] as const)
    compare.within("objective", metrics[ours] ?? Number.NaN, numberOf(one, theirs), tolerance, theirs);
}

function rewardsOf({ params }: Pick<LossCase, "params">, inputs: RolloutInputs) {
  const { lengths } = inputs;
  const request = {
    starts: startsOf(lengths),
    scores: treatMissingEos({
      scores: inputs.scores,
      ended: inputs.has_eos,
      treatment: params.eos_trick as MissingEosTreatment,
      value: Number(params.eos_value),
    }),
    estimator: params.kl as KlEstimator,
    coefficient: Number(params.kl_coef),
    logprobs: counted(inputs.logprobs, lengths),
    referenceLogprobs: counted(inputs.ref_logprobs, lengths),
  };
  return { request, rewards: tokenRewards(request) };
}

/** A known difference: where there is room, TRL's score stands one slot behind the last token, ours on it. */
export function checkTrlLayout(one: LossCase, inputs: RolloutInputs): void {
  const compare = comparisonOf(`rewards ${one.case}`);
  const { request, rewards } = rewardsOf(one, inputs);
  let moved = 0;
  for (const [row, theirs] of paddedOf(one, "rewards").entries()) {
    const length = at(inputs.lengths, row);
    const own = at(rewards, at(request.starts, row + 1) - 1);
    const [last, behind] = [at(theirs, length - 1), theirs[length] ?? 0];
    compare.within("token rewards", own, last + behind, tolerance);
    if (length === theirs.length) continue;
    moved += 1;
    compare.within("scores", behind, at(request.scores, row), tolerance);
    expect(Math.abs(own - last), `row ${row}`).to.be.above(1e-3);
  }
  expect(moved).to.be.above(0);
}

export function checkAdvantageCase(one: LossCase, inputs: RolloutInputs): void {
  const compare = comparisonOf(`advantages ${one.case}`);
  const { advantages, returns } = advantagesOf(one, inputs);
  const expected = (name: string) => counted(paddedOf(one, name), inputs.lengths);
  compare.within("advantages", advantages, expected("advantages"), tolerance);
  compare.within("returns", returns, expected("returns"), tolerance);
}

function advantagesOf(one: LossCase, inputs: RolloutInputs) {
  const { request, rewards } = rewardsOf(one, inputs);
  return generalisedAdvantages({
    starts: request.starts,
    rewards,
    values: counted(inputs.values, inputs.lengths),
    gamma: parameterOf(one, "gamma"),
    lambda: parameterOf(one, "lam"),
  });
}

/** Of the advantages, or the rewards, of another case of the file. */
export function checkWhiteningCase(one: LossCase, { inputs: given, expected }: LossFile): void {
  const compare = comparisonOf(`whitening ${one.case}`);
  const inputs = given as RolloutInputs;
  const { of, gae, centre, scale, unbiased } = one.params;
  const cases = (expected as Readonly<Record<string, readonly LossCase[]>>).advantages;
  const base = cases?.find((other) => other.case === gae);
  if (base === undefined) throw new Error(`${one.case}: no case ${gae}`);
  const values = of === "rewards" ? rewardsOf(base, inputs).rewards : advantagesOf(base, inputs).advantages;
  const whitened = whiten(values, {
    center: centre === true,
    scale: scale === true,
    unbiased: unbiased === true,
  });
  compare.within("whitened", whitened, counted(paddedOf(one, "whitened"), inputs.lengths), tolerance);
}

export function checkAdaptiveKl(one: LossCase): void {
  const episodes = parameterOf(one, "n");
  let controller: KlController = {
    kind: "adaptive",
    coefficient: parameterOf(one, "init"),
    target: parameterOf(one, "target"),
    horizon: parameterOf(one, "horizon"),
  };
  const found = numbersOf(one, "kl").map((kl) => {
    controller = controlKl(controller, { kl, episodes });
    return controller.coefficient;
  });
  comparisonOf(one.case).within("coefficient", found, numbersOf(one, "kl_coef_after"), tolerance);
}

export function checkGroupAdvantages(one: LossCase, inputs: GroupRewardInputs): void {
  const compare = comparisonOf("advantages of groups");
  const groups = { rewards: inputs.rewards.flat(), samples: inputs.group };
  const penalised = penalisedScores({
    starts: startsOf(inputs.lengths),
    scores: groups.rewards,
    coefficient: inputs.rloo_beta,
    logprobs: counted(inputs.old_logprobs, inputs.lengths),
    referenceLogprobs: counted(inputs.ref_logprobs, inputs.lengths),
  });
  const found: Readonly<Record<string, Float64Array>> = {
    group: groupAdvantages({ ...groups, scale: "group" }),
    batch: groupAdvantages({ ...groups, scale: "batch" }),
    none: groupAdvantages({ ...groups, scale: "none" }),
    rloo: leaveOneOutAdvantages(groups),
    rloo_normalised: leaveOneOutAdvantages({ ...groups, normalise: true }),
    rloo_with_kl: leaveOneOutAdvantages({ ...groups, rewards: penalised }),
  };
  const { case: _case, params: _params, ...expected } = one;
  for (const name of Object.keys(expected)) {
    const values = found[name];
    if (values === undefined) throw new Error(`advantages: nothing is known of ${name}`);
    compare.within(`advantages, ${name}`, values, numbersOf(one, name), tolerance);
  }
}
