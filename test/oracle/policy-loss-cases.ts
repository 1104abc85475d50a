// Losses of ppo.json and grpo_rloo.json: values, gradients and statistics come from native/loss, what they are divided by
// from lib/train. Must not compute a formula again; rewards and advantages are given here.

import type { PackedBatch } from "../../lib/data/index.js";
import type { Checks } from "../../lib/engine/checks.js";
import type { PolicyLoss, PolicyRatio, ValueLoss } from "../../lib/engine/contract.js";
import { aggregateMeans, type TermMean, termScale } from "../../lib/train/term-means.js";
import { batchOfSequences } from "../support/oracle-batch.js";
import { at, Comparison, sumOf } from "../support/oracle-compare.js";
import { gradientTolerance, type LossCase, numberOf, parameterOf, valueTolerance } from "./loss-file.js";

/** [rows][tokens], as long as the longest row; what lies beyond a row's length means nothing. */
type Rows = readonly (readonly number[])[];

export interface PpoInputs {
  readonly lengths: readonly number[];
  readonly logprobs: Rows;
  readonly values: Rows;
  readonly new_logprobs: Rows;
  readonly new_values: Rows;
  readonly entropies: Rows;
  readonly pretrain_logprobs: Rows;
  readonly pretrain_mask: Rows;
}

/** What the losses of ppo.json take from its other lists. */
export interface PpoExpected {
  readonly advantages: readonly LossCase[];
  readonly whitening: readonly LossCase[];
  readonly losses: readonly LossCase[];
}

export interface GroupInputs {
  readonly group: number;
  readonly lengths: readonly number[];
  readonly old_logprobs: Rows;
  readonly new_logprobs: Rows;
  readonly ref_logprobs: Rows;
  readonly loss_advantages: readonly number[];
}

interface CheckOptions<Inputs> {
  readonly one: LossCase;
  readonly inputs: Inputs;
  readonly checks: Checks;
}

/** The tokens that count, one row behind the other. */
function counted(rows: Rows, lengths: readonly number[]): number[] {
  return rows.flatMap((row, i) => row.slice(0, at(lengths, i)));
}

function raggedBatch(lengths: readonly number[], perGroup = 1): PackedBatch {
  const sequences = lengths.map((length) => {
    return { tokens: [0], scored: new Array(length).fill({ position: 0, token: 0 }) };
  });
  return batchOfSequences({ sequences, perGroup });
}

function comparison({ one, checks }: Pick<CheckOptions<unknown>, "one" | "checks">, file: string) {
  return new Comparison({ family: "loss", isa: checks.isa, dtype: "fp32", name: `${file} ${one.case}` });
}

/** A list of rows of a case, which the file names by the case's name. */
function rowsOf(cases: readonly LossCase[], name: string, field: string): Rows {
  const rows = cases.find((one) => one.case === name)?.[field];
  if (!Array.isArray(rows)) throw new Error(`there is no ${field} of ${name}`);
  return rows as Rows;
}

interface PpoCheckOptions extends CheckOptions<PpoInputs> {
  readonly expected: PpoExpected;
}

/** Both losses of a case, and where the policy and the critic stand. */
function ppoQuestion({ one, inputs, expected }: Omit<PpoCheckOptions, "checks">) {
  const { lengths } = inputs;
  const { reduction, returns, new: moved } = one.params;
  const raw = String(one.params.advantages).startsWith("raw");
  const advantages = raw
    ? rowsOf(expected.advantages, String(returns), "advantages")
    : rowsOf(expected.whitening, String(one.params.advantages).replace("whitened ", ""), "whitened");
  const batch = raggedBatch(lengths);
  const mean: TermMean = reduction === "token" ? "token" : "sequence";
  const scale = termScale(mean, batch, { tokens: sumOf(lengths), rows: lengths.length });
  const policy: PolicyLoss = {
    kind: "policy",
    form: "clip",
    ratio: "token",
    ...scale,
    clipLow: parameterOf(one, "cliprange"),
    clipHigh: parameterOf(one, "cliprange"),
    advantages: Float64Array.from(counted(advantages, lengths)),
    oldLogprobs: Float64Array.from(counted(inputs.logprobs, lengths)),
  };
  const { cliprange_value: clip } = one.params;
  const value: ValueLoss = {
    kind: "value",
    ...scale,
    returns: Float64Array.from(counted(rowsOf(expected.advantages, String(returns), "returns"), lengths)),
    oldValues: Float64Array.from(counted(inputs.values, lengths)),
    ...(typeof clip === "number" ? { clip } : {}),
  };
  const same = String(moved).startsWith("old");
  return {
    batch,
    policy,
    value,
    logprobs: Float32Array.from(counted(same ? inputs.logprobs : inputs.new_logprobs, lengths)),
    values: Float64Array.from(counted(same ? inputs.values : inputs.new_values, lengths)),
    entropies: Float32Array.from(counted(inputs.entropies, lengths)),
  };
}

async function ppoTotals({ checks, ...options }: Omit<PpoCheckOptions, "one"> & { readonly one: LossCase }) {
  const { one } = options;
  const { batch, policy, value, logprobs, values, entropies } = ppoQuestion(options);
  const [valueWeight, entropyWeight] = [parameterOf(one, "vf_coef"), parameterOf(one, "ent_coef")];
  const alone = await checks.logprobLoss(policy, batch, logprobs, entropies);
  const whole = await checks.logprobLoss({ ...policy, entropyWeight }, batch, logprobs, entropies);
  const critic = await checks.scoreLoss(value, batch, values, 1);
  // The coefficient of a loss goes into what it is divided by.
  const weighed = { ...value, normaliser: value.normaliser / valueWeight };
  const { gradient: valueGradient } = await checks.scoreLoss(weighed, batch, values, 1);
  const policyLoss = sumOf(alone.groupLosses) / policy.normaliser;
  const withEntropy = sumOf(whole.groupLosses) / policy.normaliser;
  const valueLoss = sumOf(critic.groupLosses) / value.normaliser;
  const entropy = (policyLoss - withEntropy) / entropyWeight;
  return {
    whole,
    critic,
    valueGradient,
    policyLoss,
    valueLoss,
    entropy,
    total: withEntropy + valueWeight * valueLoss,
  };
}

export async function checkPpoLossCase(options: PpoCheckOptions): Promise<void> {
  const { one, inputs } = options;
  const compare = comparison(options, "ppo");
  const found = await ppoTotals(options);
  const near = (quantity: string, value: number, expected: number) =>
    compare.within(quantity, value, expected, valueTolerance);
  near("loss", found.policyLoss, numberOf(one, "policy_loss"));
  near("value loss", found.valueLoss, numberOf(one, "value_loss"));
  near("entropy", found.entropy, numberOf(one, "entropy"));
  near("total", found.total, numberOf(one, "total"));
  const { policy, value } = { ...found.whole, value: found.critic.value };
  if (policy === undefined || value === undefined) throw new Error("there are no statistics");
  const estimates = one.approx_kl as Readonly<Record<"k1" | "k2", number>>;
  near("approximate KL", policy.k1 / policy.count, estimates.k1);
  near("approximate KL", policy.approxKl / policy.count, estimates.k2);
  near("ratio", policy.ratio / policy.ratios, numberOf(one, "ratio"));
  compare.exact("clip fraction", [policy.clipped / policy.ratios], [numberOf(one, "clipfrac")]);
  compare.exact("clip fraction", [value.clipped / value.count], [numberOf(one, "value_clipfrac")]);
  for (const [field, gradient] of [
    ["grad_new_logprobs", found.whole.gradient],
    ["grad_new_values", found.valueGradient],
    ["grad_entropies", found.whole.entropyGradient],
  ] as const) {
    const expected = counted(one[field] as Rows, inputs.lengths);
    compare.within("gradient", gradient, expected, gradientTolerance, field);
  }
}

/** PPO-ptx: a second step of the same update, whose weight goes into its normaliser. */
export async function checkPtxCase(options: PpoCheckOptions): Promise<void> {
  const { one, inputs, checks, expected } = options;
  const compare = comparison(options, "ppo");
  const gamma = parameterOf(one, "gamma_ptx");
  const lengths = inputs.pretrain_mask.map(sumOf);
  const tokens = sumOf(lengths);
  const logprobs = Float32Array.from(counted(inputs.pretrain_logprobs, lengths));
  const { groupLosses, gradient } = await checks.logprobLoss(
    { kind: "nll", normaliser: tokens / gamma },
    raggedBatch(lengths),
    logprobs,
  );
  const ppo = expected.losses.find((other) => other.case === one.params.ppo_case);
  if (ppo === undefined) throw new Error(`there is no case ${one.params.ppo_case}`);
  const { total } = await ppoTotals({ ...options, one: ppo });
  compare.within("ptx loss", sumOf(groupLosses) / tokens, numberOf(one, "nll"), valueTolerance);
  const both = total + (gamma * sumOf(groupLosses)) / tokens;
  compare.within("total", both, numberOf(one, "total"), valueTolerance);
  const rows = counted(one.grad_pretrain_logprobs as Rows, lengths);
  compare.within("gradient", gradient, rows, gradientTolerance, "ptx");
}

/** What the file calls a ratio, and what the engine calls it. */
const ratios: Readonly<Record<string, PolicyRatio>> = {
  token: "token",
  sequence: "sequence-mean",
  rloo: "sequence",
};

function groupLoss(one: LossCase, inputs: GroupInputs, batch: PackedBatch): PolicyLoss {
  const { lengths } = inputs;
  const ratio = ratios[String(one.params.ratio)];
  if (ratio === undefined) throw new Error(`${one.case} has an unknown ratio ${one.params.ratio}`);
  const means: Readonly<Record<string, TermMean>> = { ...aggregateMeans, rloo: "row" };
  const mean = means[String(one.params.aggregation)];
  if (mean === undefined) throw new Error(`${one.case} has an unknown aggregation`);
  const advantages = inputs.loss_advantages.flatMap((advantage, row) =>
    new Array(ratio === "token" ? at(lengths, row) : 1).fill(advantage),
  );
  const { delta } = one.params;
  return {
    kind: "policy",
    form: "clip",
    ratio,
    ...termScale(mean, batch, {
      tokens: parameterOf(one, "items_in_batch", sumOf(lengths)),
      rows: lengths.length,
      maxNewTokens: parameterOf(one, "max_completion_length", 1),
    }),
    clipLow: parameterOf(one, "clip_low"),
    clipHigh: parameterOf(one, "clip_high"),
    ...(typeof delta === "number" ? { ratioCap: delta } : {}),
    advantages: Float64Array.from(advantages),
    oldLogprobs: Float64Array.from(counted(inputs.old_logprobs, lengths)),
    referenceLogprobs: Float64Array.from(counted(inputs.ref_logprobs, lengths)),
    klWeight: parameterOf(one, "beta"),
  };
}

export async function checkGroupLossCase(options: CheckOptions<GroupInputs>): Promise<void> {
  const { one, inputs, checks } = options;
  const compare = comparison(options, "grpo_rloo");
  const { lengths } = inputs;
  // The samples of a prompt are one group of the batch.
  const batch = raggedBatch(lengths, inputs.group);
  const loss = groupLoss(one, inputs, batch);
  const logprobs = Float32Array.from(counted(inputs.new_logprobs, lengths));
  const { groupLosses, gradient, policy } = await checks.logprobLoss(loss, batch, logprobs);
  if (policy === undefined) throw new Error("there are no statistics");
  compare.within("loss", sumOf(groupLosses) / loss.normaliser, numberOf(one, "loss"), valueTolerance);
  const expected = counted(one.grad_new_logprobs as Rows, lengths);
  compare.within("gradient", gradient, expected, gradientTolerance);
  compare.exact("clip fraction", [policy.clippedLow / policy.ratios], [numberOf(one, "clip_low")]);
  compare.exact("clip fraction", [policy.clippedHigh / policy.ratios], [numberOf(one, "clip_high")]);
  if (one.kl !== null) compare.within("kl", policy.kl / policy.count, numberOf(one, "kl"), valueTolerance);
}
