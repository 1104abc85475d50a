// Cases of pairs and rankings under log-probs: loss and gradient come from native/loss, rewards from lib/train.
// Must not compute a formula again.

import { expect } from "chai";
import type { PackedBatch } from "../../lib/data/index.js";
import { type Checks, type LossCheck, matchUpdate } from "../../lib/engine/checks.js";
import type { CompletionSums, LossSpec, PairwiseLoss, PairwiseName } from "../../lib/engine/contract.js";
import { type DpoLossName, dpoOptions } from "../../lib/options/index.js";
import { planLosses, rewardOf } from "../../lib/train/dpo-losses.js";
import { MetricSums } from "../../lib/train/metrics.js";
import { addPairSums, type PairSum } from "../../lib/train/pair-metrics.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { at, Comparison, sumOf, type Tolerance } from "../support/oracle-compare.js";
import {
  gradientTolerance,
  type LossCase,
  numberOf,
  numbersOf,
  parameterOf,
  valueTolerance,
  wideTolerance,
} from "./loss-file.js";

export interface DpoInputs {
  readonly policy_chosen_logps: readonly number[];
  readonly policy_rejected_logps: readonly number[];
  readonly reference_chosen_logps: readonly number[];
  readonly reference_rejected_logps: readonly number[];
  readonly chosen_lengths: readonly number[];
  readonly rejected_lengths: readonly number[];
}

export interface DpoCheckOptions {
  readonly one: LossCase;
  readonly inputs: DpoInputs;
  readonly checks: Checks;
}

/** What the files call the parameters of a loss, and what the engine calls them. */
const parameterNames: Readonly<Record<string, keyof PairwiseLoss>> = {
  label_smoothing: "labelSmoothing",
  f_divergence: "divergence",
  alpha_coef: "alpha",
  reduction: "ipoReduce",
  tau: "discopopTemperature",
  gamma: "simpoGamma",
  nll_weight: "nllWeight",
  lambda: "orpoLambda",
};

export async function checkDpoCase({ one, inputs, checks }: DpoCheckOptions): Promise<void> {
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name: `dpo ${one.case}` });
  const policy = alternate(inputs.policy_chosen_logps, inputs.policy_rejected_logps);
  const reference = alternate(inputs.reference_chosen_logps, inputs.reference_rejected_logps);
  const lengths = alternate(inputs.chosen_lengths, inputs.rejected_lengths);
  const loss = pairLoss(one, { policy, reference, chosenTargets: sumOf(inputs.chosen_lengths) });
  const run = (spec: LossSpec) => sumsLoss({ checks, spec, sums: policy, lengths, perGroup: 2 });
  const whole = await run(loss);
  const pairs = policy.length / 2;
  const tolerance = toleranceOf(one);

  // The part that is a mean over targets, not over pairs, is taken off the pairs' losses again.
  const { nllWeight: _, labelSmoothing: __, divergence: ___, ...plain } = loss;
  const sft = await run({ ...plain, terms: [{ name: "sft", weight: 1 }] });
  const weight = imitationWeight(one);
  const own = whole.groupLosses.map((value, pair) => value - weight * at(sft.groupLosses, pair));
  const expected = numbersOf(one, "per_pair");
  // Losses that sort list their pairs by rank.
  const sorts = loss.matches !== undefined;
  compare.within("per pair", sorts ? own.toSorted() : own, sorts ? sorted(expected) : expected, tolerance);
  compare.within("loss", sumOf(whole.groupLosses) / pairs, numberOf(one, "loss"), tolerance);
  if (one.nll !== undefined)
    compare.within("nll", sumOf(sft.groupLosses) / pairs, numberOf(one, "nll"), valueTolerance);
  const grads = alternate(numbersOf(one, "grad_policy_chosen"), numbersOf(one, "grad_policy_rejected"));
  compare.within("gradient", whole.gradient, grads, gradientTolerance);
  checkRewards({ one, compare, policy, reference, lengths });
}

interface PairLossInputs {
  readonly policy: Float64Array;
  readonly reference: Float64Array;
  readonly chosenTargets: number;
}

function pairLoss(one: LossCase, { policy, reference, chosenTargets }: PairLossInputs): PairwiseLoss {
  const { loss: name, beta = 1, ...others } = one.params as Record<string, unknown> & { loss: PairwiseName };
  const named = Object.entries(others).map(([theirs, value]) => [ourName(one, theirs), value]);
  // The engine's default imitates; the file's has to be asked for.
  const silent = (name === "cpo" || name === "simpo") && others.nll_weight === undefined;
  const sorts = name === "aot" || name === "aot_unpaired";
  return {
    kind: "pairwise",
    terms: [{ name, weight: 1 }],
    normaliser: policy.length / 2,
    beta: beta as number,
    reference,
    chosenTargets,
    ...(silent ? { nllWeight: 0 } : {}),
    ...(sorts ? { matches: matchUpdate(name, policy, reference) } : {}),
    ...Object.fromEntries(named),
  };
}

function ourName(one: LossCase, theirs: string): string {
  const ours = parameterNames[theirs];
  if (ours === undefined) throw new Error(`${one.case} has an unknown parameter ${theirs}`);
  return ours;
}

/** How much of the chosen sides' likelihood the loss has. */
function imitationWeight(one: LossCase): number {
  return one.params.loss === "orpo" ? 1 : parameterOf(one, "nll_weight", 0);
}

/** README.md there: wider where values reach 1000. */
function toleranceOf({ params }: LossCase): Tolerance {
  const wide =
    params.loss === "sppo_hard" ||
    (params.loss === "ipo" && params.reduction === "sum") ||
    params.f_divergence === "forward_kl" ||
    params.f_divergence === "alpha_divergence";
  return wide ? wideTolerance : valueTolerance;
}

interface RewardsOptions {
  readonly one: LossCase;
  readonly compare: Comparison;
  readonly policy: Float64Array;
  readonly reference: Float64Array;
  readonly lengths: Float64Array;
}

/** Rewards pair by pair, as the trainer's metrics form them. */
function checkRewards({ one, compare, policy, reference, lengths }: RewardsOptions): void {
  const plan = trainerPlan(one.params.loss as DpoLossName, one);
  const pairs = Array.from({ length: policy.length / 2 }, (_, pair) => {
    const sums = new MetricSums<PairSum>();
    const part = (values: Float64Array) => values.subarray(2 * pair, 2 * pair + 2);
    const completions = Array.from(part(policy), (logprob, side) =>
      completionOf(logprob, at(part(lengths), side)),
    );
    addPairSums(sums, {
      batch: sumsBatch({ lengths: part(lengths), perGroup: 2 }),
      result: {
        loss: 0,
        groupLosses: new Float64Array(1),
        completions,
        scores: new Float64Array(0),
        tieGradient: 0,
        trunkRows: 0,
        headRows: 0,
      },
      reference: part(reference),
      rewardOf: rewardOf(plan),
    });
    return sums;
  });
  for (const side of ["chosen", "rejected"] as const) {
    const values = pairs.map((sums) => sums.mean(`rewards/${side}`));
    compare.within("rewards", values, numbersOf(one, `rewards_${side}`), valueTolerance, side);
  }
  const margins = pairs.map((sums) => sums.mean("rewards/chosen") - sums.mean("rewards/rejected"));
  compare.within("rewards", margins, numbersOf(one, "margins"), valueTolerance, "margins");
  const correct = pairs.reduce((sum, metrics) => sum + metrics.mean("accuracies"), 0);
  compare.exact("accuracy", [correct / pairs.length], [numberOf(one, "accuracy")]);
}

/** What a run of `dpo` would plan for the loss. */
function trainerPlan(loss: DpoLossName, one: LossCase) {
  const { beta, lambda: orpoLambda, label_smoothing: labelSmoothing } = one.params;
  const needed = { model: "m", data: ["d"], output: "o" };
  return planLosses(dpoOptions.parse({ ...needed, loss: [loss], beta, orpoLambda, labelSmoothing }));
}

export interface RankingInputs {
  readonly groups: readonly {
    readonly K: number;
    readonly policy_logps: readonly (readonly number[])[];
    readonly reference_logps: readonly (readonly number[])[];
  }[];
}

export interface RankingCheckOptions {
  readonly one: LossCase;
  readonly inputs: RankingInputs;
  readonly checks: Checks;
}

/** Plackett-Luce under log-probs; the completions are given best first. */
export async function checkRankingCase({ one, inputs, checks }: RankingCheckOptions): Promise<void> {
  const name = `dpo_plackett_luce ${one.case}`;
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name });
  const count = numberOf(one, "K");
  const input = inputs.groups.find(({ K }) => K === count);
  if (input === undefined) throw new Error(`${one.case}: no inputs for K = ${count}`);
  const policy = Float64Array.from(input.policy_logps.flat());
  const reference = Float64Array.from(input.reference_logps.flat());
  const groups = input.policy_logps.length;
  const lengths = new Float64Array(policy.length).fill(1);
  const beta = parameterOf(one, "beta");
  const { groupLosses, gradient } = await sumsLoss({
    checks,
    spec: {
      kind: "listwise",
      form: "plackett-luce",
      normaliser: groups,
      beta,
      reference,
      ranks: Int32Array.from(policy, (_, i) => (i % count) + 1),
      placed: new Int32Array(groups).fill(parameterOf(one, "choices")),
    },
    sums: policy,
    lengths,
    perGroup: count,
  });
  compare.within("per ranking", groupLosses, numbersOf(one, "per_group"), valueTolerance);
  compare.within("loss", sumOf(groupLosses) / groups, numberOf(one, "loss"), valueTolerance);
  compare.within("gradient", gradient, numbersOf(one, "grad_policy"), gradientTolerance);
  const reward = rewardOf(trainerPlan("plackett-luce", one));
  const rewards = Array.from(policy, (logprob, i) => reward(completionOf(logprob, 1), at(reference, i)));
  compare.within("rewards", rewards, numbersOf(one, "rewards"), valueTolerance);
}

export interface SumsOptions {
  readonly checks: Checks;
  readonly spec: LossSpec;
  /** [completions] log-probs summed over the targets. */
  readonly sums: ArrayLike<number>;
  /** [completions] targets. */
  readonly lengths: ArrayLike<number>;
  readonly perGroup: number;
}

/** A loss of completions whose first targets hold their whole sums. The gradient is given by completion. */
export async function sumsLoss({ checks, spec, sums, lengths, perGroup }: SumsOptions): Promise<LossCheck> {
  const batch = sumsBatch({ lengths, perGroup });
  const logprobs = new Float32Array(batch.counts.targets);
  const firsts = Array.from(sums, (_, completion) => at(batch.completions, 2 * completion));
  for (const [completion, first] of firsts.entries()) logprobs[first] = at(sums, completion);
  const { gradient, ...others } = await checks.logprobLoss(spec, batch, logprobs);
  const own = Float64Array.from(firsts, (first) => at(gradient, first));
  const spread = Array.from(lengths, (length, completion) => new Array(length).fill(at(own, completion)));
  expect([...gradient], "every target has its completion's derivative").to.deep.equal(spread.flat());
  return { ...others, gradient: own };
}

function sumsBatch({ lengths, perGroup }: Pick<SumsOptions, "lengths" | "perGroup">): PackedBatch {
  const sequences = Array.from(lengths, (length) => {
    return { tokens: [0], scored: new Array(length).fill({ position: 0, token: 0 }) };
  });
  return batchOfSequences({ sequences, perGroup });
}

function completionOf(logprob: number, count: number): CompletionSums {
  return { logprob, entropy: 0, meanLogit: 0, correct: 0, count };
}

function alternate(chosen: readonly number[], rejected: readonly number[]): Float64Array {
  return Float64Array.from(chosen.flatMap((value, pair) => [value, at(rejected, pair)]));
}

function sorted(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}
