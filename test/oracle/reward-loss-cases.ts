// Cases of losses of scores: values and gradients come from native/loss, statistics of pairs from lib/train.
// Must not compute a formula again.

import { type Checks, groupedBatch } from "../../lib/engine/checks.js";
import type { ListwiseForm, ScoreLoss, TieTreatment } from "../../lib/engine/contract.js";
import { type RewardStep, RewardSums } from "../../lib/train/reward-metrics.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { at, Comparison, sumOf } from "../support/oracle-compare.js";
import {
  gradientTolerance,
  type LossCase,
  numberOf,
  numbersOf,
  parameterOf,
  valueTolerance,
} from "./loss-file.js";

export interface RewardInputs {
  readonly pairs: Readonly<
    Record<"chosen" | "rejected" | "margin" | "soft_label" | "weight", readonly number[]>
  >;
  readonly kwise: readonly {
    readonly K: number;
    readonly rewards_best_first: readonly (readonly number[])[];
  }[];
  readonly tied: readonly {
    readonly rewards: readonly number[];
    readonly groups_best_first: readonly (readonly number[])[];
  }[];
  readonly tie_models: {
    readonly a: readonly number[];
    readonly b: readonly number[];
    /** 1: a better, -1: b better, 0: tie. */
    readonly outcome: readonly number[];
  };
}

export interface RewardCheckOptions {
  readonly one: LossCase;
  readonly inputs: RewardInputs;
  readonly checks: Checks;
}

/** A loss of the scores of equal groups, and where the file has its values. */
interface Question {
  readonly loss: ScoreLoss;
  /** [groups][completions] */
  readonly scores: readonly (readonly number[])[];
  /** Of each group, where the file lists them. */
  readonly perGroup?: string;
  /** Columns of the gradient: one field with all of it, or one per completion of a group. */
  readonly gradients: readonly string[];
}

/** By the name of the loss in the file. */
const questions: Readonly<Record<string, (one: LossCase, inputs: RewardInputs) => Question>> = {
  bradley_terry: pairQuestion,
  pairs: (one, inputs) => listQuestion(one, inputs, "all-pairs"),
  plackett_luce: (one, inputs) => listQuestion(one, inputs, "plackett-luce"),
  plackett_luce_ties: (one, inputs) => listQuestion(one, inputs, "plackett-luce"),
  best_of_k: (one, inputs) => listQuestion(one, inputs, "best-of-k"),
  rao_kupper: (one, inputs) => tieQuestion(one, inputs, "rao-kupper"),
  davidson: (one, inputs) => tieQuestion(one, inputs, "davidson"),
};

export async function checkRewardCase({ one, inputs, checks }: RewardCheckOptions): Promise<void> {
  const name = `reward ${one.case}`;
  const compare = new Comparison({ family: "loss", isa: checks.isa, dtype: "fp64", name });
  const question = questions[String(one.params.loss)];
  if (question === undefined) throw new Error(`${one.case} has an unknown loss ${one.params.loss}`);
  const { loss, scores, perGroup, gradients } = question(one, inputs);
  const batch = groupedBatch(scores.map(({ length }) => length));
  const { groupLosses, gradient, tieGradient } = await checks.scoreLoss(
    loss,
    batch,
    Float64Array.from(scores.flat()),
    1,
  );
  const weighted = groupLosses.map((value, group) => value * (loss.weights?.[group] ?? 1));
  if (perGroup !== undefined) {
    // Centring is listed in the loss only, a weight in the pairs' losses too.
    const own = await checks.scoreLoss({ ...loss, ...withoutCentring(loss) }, batch, flat(scores), 1);
    const values = own.groupLosses.map((value, group) => value * (loss.weights?.[group] ?? 1));
    compare.within("per group", values, numbersOf(one, perGroup), valueTolerance);
  }
  compare.within("loss", sumOf(weighted) / loss.normaliser, numberOf(one, "loss"), valueTolerance);
  for (const [column, field] of gradients.entries()) {
    const step = gradients.length;
    const values = gradient.filter((_, i) => i % step === column);
    compare.within("gradient", values, numbersOf(one, field), gradientTolerance, field);
  }
  if (one.accuracy !== undefined) checkStatistics(one, compare, scores);
  if (one.grad_eta !== undefined)
    compare.within("gradient", tieGradient, numberOf(one, "grad_eta"), gradientTolerance, "eta");
}

/** Accuracy and mean margin, as the trainer's metrics form them of certain pairs. */
function checkStatistics(one: LossCase, compare: Comparison, scores: Question["scores"]): void {
  const plan = { loss: "bradley-terry", ties: undefined, centring: 0, heads: 1, axes: undefined } as const;
  const sums = new RewardSums({ ...plan, scales: new Map(), seed: 0 }, "training");
  const answer = { tokens: [0], scored: [{ position: 0, token: 0 }] };
  const row = { completions: [new Int32Array(1), new Int32Array(1)], label: 1, margin: 0 };
  const step = {
    data: { length: scores.length, at: () => row },
    batch: batchOfSequences({ sequences: scores.flat().map(() => answer), perGroup: 2 }),
    result: { loss: 0, scores: flat(scores), trunkRows: 0 },
  };
  sums.add(step as unknown as RewardStep);
  const { accuracy, margin } = sums.metrics();
  compare.exact("accuracy", [accuracy ?? Number.NaN], [numberOf(one, "accuracy")]);
  compare.within("margin", margin ?? Number.NaN, numberOf(one, "margin"), valueTolerance);
}

function flat(scores: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(scores.flat());
}

function withoutCentring(loss: ScoreLoss) {
  return loss.form === "bradley-terry" ? { centring: 0 } : {};
}

function pairQuestion(one: LossCase, { pairs }: RewardInputs): Question {
  const { margin, soft_label: soft, weight } = one.params;
  return {
    loss: {
      kind: "scores",
      form: "bradley-terry",
      normaliser: pairs.chosen.length,
      centring: parameterOf(one, "centring"),
      ...(weight === true ? weighing(one, Float64Array.from(pairs.weight)) : {}),
      ...(margin === true ? { margins: Float64Array.from(pairs.margin) } : {}),
      ...(soft === true ? { labels: Float64Array.from(pairs.soft_label) } : {}),
    },
    scores: pairs.chosen.map((chosen, i) => [chosen, at(pairs.rejected, i)]),
    perGroup: "per_pair",
    gradients: ["grad_chosen", "grad_rejected"],
  };
}

/** In the file a weight scales the comparison and not the centring; `weights` scales all there is of a group. */
function weighing(one: LossCase, weights: Float64Array) {
  return parameterOf(one, "centring") > 0 ? { pairWeights: weights } : { weights };
}

function listQuestion(one: LossCase, inputs: RewardInputs, form: ListwiseForm): Question {
  const { ties, tied_input: index } = one.params;
  if (typeof index === "number") return tiedQuestion(one, inputs, form);
  const input = inputs.kwise.find(({ K }) => K === one.params.K);
  if (input === undefined) throw new Error(`${one.case}: no inputs for K = ${one.params.K}`);
  const { K: count, rewards_best_first: scores } = input;
  const best = one.params.best as readonly number[] | undefined;
  const ranks = scores.map((row, group) =>
    row.map((_, i) => (best === undefined ? i + 1 : i === best[group] ? 1 : 2)),
  );
  const choices = parameterOf(one, "choices", count);
  const loss = {
    kind: "scores",
    form,
    normaliser: scores.length,
    ranks: Int32Array.from(ranks.flat()),
    ...(form === "plackett-luce" ? { placed: new Int32Array(scores.length).fill(choices) } : {}),
    ...(ties === undefined ? {} : { ties: ties as TieTreatment }),
  } as const;
  return { loss, scores, perGroup: "per_prompt", gradients: ["grad"] };
}

function tiedQuestion(one: LossCase, { tied }: RewardInputs, form: ListwiseForm): Question {
  const input = tied[parameterOf(one, "tied_input")];
  if (input === undefined) throw new Error(`${one.case}: no such tied input`);
  const ranks = input.rewards.map(
    (_, i) => 1 + input.groups_best_first.findIndex((group) => group.includes(i)),
  );
  const loss = {
    kind: "scores",
    form,
    normaliser: 1,
    ranks: Int32Array.from(ranks),
    ties: one.params.ties as TieTreatment,
  } as const;
  return { loss, scores: [input.rewards], gradients: ["grad"] };
}

function tieQuestion(one: LossCase, inputs: RewardInputs, form: "rao-kupper" | "davidson"): Question {
  const { a, b, outcome } = inputs.tie_models;
  const labels = Float64Array.from(outcome, (value) => (value + 1) / 2);
  const tieParameter = parameterOf(one, "eta");
  return {
    loss: { kind: "scores", form, normaliser: a.length, labels, tieParameter },
    scores: a.map((score, i) => [score, at(b, i)]),
    perGroup: "per_pair",
    gradients: ["grad_a", "grad_b"],
  };
}
