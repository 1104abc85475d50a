// One minibatch of a rollout through a policy or value loss: gradients of all its micro-batches, and sums over them.
// Must not update weights or choose a loss.

import { type PackedBatch, packStep, type TokenisedRow, type TokenisedRows } from "../../data/index.js";
import type {
  JobOptions,
  PolicyLoss,
  PolicySums,
  TrainableModel,
  ValueLoss,
  ValueSums,
} from "../../engine/contract.js";
import { type Rollout, type RolloutPrompt, rolloutRows } from "../../rollout/index.js";
import { finiteStep } from "../not-finite.js";

/** The answers of a rollout as rows, whose prompts have places to be named in errors. */
export function answerRows(rollout: Rollout, prompts: readonly RolloutPrompt[]): TokenisedRows {
  const rows = rolloutRows(rollout);
  const byRow = new Map(prompts.map((prompt) => [prompt.row, prompt]));
  return {
    length: rows.length,
    at(sample): TokenisedRow | undefined {
      const row = rows.at(sample);
      if (row === undefined) return undefined;
      const index = rollout.promptRows[Math.floor(sample / rollout.samples)] ?? -1;
      const [, file = "rows", line = "0"] = /^(.*):(\d+)$/.exec(byRow.get(index)?.place ?? "") ?? [];
      const place = { file, line: Number(line) };
      return { ...row, weight: 1, label: 1, margin: 0, index, place, truncated: false, promptHash: "" };
    },
  };
}

/** The same rows whose first token alone is a target. */
export function firstTokens(rows: TokenisedRows): TokenisedRows {
  return {
    length: rows.length,
    at(position): TokenisedRow | undefined {
      const row = rows.at(position);
      if (row === undefined) return undefined;
      const masks = row.completions.map(({ length }) =>
        Uint8Array.from({ length }, (_, i) => (i === 0 ? 1 : 0)),
      );
      return { ...row, masks };
    },
  };
}

export interface Pass<Loss> {
  readonly model: TrainableModel;
  readonly data: TokenisedRows;
  /** Samples of the minibatch. */
  readonly rows: Int32Array;
  readonly microBatchTokens: number;
  readonly job: JobOptions;
  /** From 1. */
  readonly step: number;
  /** Divided by counts over the whole minibatch. */
  readonly lossOf: (batch: PackedBatch) => Loss;
}

/** Sums of a pass beside those of its loss. */
export interface PassSums {
  readonly loss: number;
  readonly tokens: number;
  readonly trunkRows: number;
}

export type PolicyPass = PassSums & PolicySums;
export type ValuePass = PassSums & ValueSums;

/** Adds the gradient of a policy loss. Throws ATTUNE_NOT_FINITE with the gradients cleared. */
export async function policyPass(pass: Pass<PolicyLoss>): Promise<PolicyPass> {
  return summed(pass, ({ policy }) => policy, policyKeys);
}

/** Adds the gradient of a value loss. Throws ATTUNE_NOT_FINITE with the gradients cleared. */
export async function valuePass(pass: Pass<ValueLoss>): Promise<ValuePass> {
  return summed(pass, ({ value }) => value, ["count", "clipped"]);
}

const policyKeys = [
  "count",
  "ratios",
  "ratio",
  "ratioSquared",
  "clipped",
  "clippedLow",
  "clippedHigh",
  "approxKl",
  "k1",
  "kl",
  "entropy",
] as const satisfies readonly (keyof PolicySums)[];

async function summed<Loss extends PolicyLoss | ValueLoss, Key extends string>(
  { model, data, rows, microBatchTokens, job, step, lossOf }: Pass<Loss>,
  pick: (result: Awaited<ReturnType<typeof finiteStep>>) => Readonly<Record<Key, number>> | undefined,
  keys: readonly Key[],
): Promise<PassSums & Record<Key, number>> {
  const sums = Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
  let [loss, tokens, trunkRows] = [0, 0, 0];
  for (const batch of packStep({ data, rows, microBatchTokens, sharePrompts: true })) {
    const result = await finiteStep({ model, batch, loss: lossOf(batch), job, step, data });
    loss += result.loss;
    tokens += batch.counts.tokens;
    trunkRows += result.trunkRows;
    const own = pick(result);
    if (own === undefined) throw new Error("a step without the sums of its loss");
    for (const key of keys) sums[key] += own[key];
  }
  return { ...sums, loss, tokens, trunkRows };
}

/** Adds up passes of one step, field by field; `none` where there was no pass. */
export function addSums<Sums extends { readonly [Key in keyof Sums]: number }>(
  all: readonly Sums[],
  none: Sums,
): Sums {
  const total: Record<string, number> = { ...none };
  for (const one of all)
    for (const [key, value] of Object.entries<number>(one)) total[key] = (total[key] ?? 0) + value;
  return total as Sums;
}

const noPass = { loss: 0, tokens: 0, trunkRows: 0 } as const;
export const noValuePass: ValuePass = { ...noPass, count: 0, clipped: 0 };
export const noPolicyPass: PolicyPass = {
  ...noPass,
  count: 0,
  ratios: 0,
  ratio: 0,
  ratioSquared: 0,
  clipped: 0,
  clippedLow: 0,
  clippedHigh: 0,
  approxKl: 0,
  k1: 0,
  kl: 0,
  entropy: 0,
};
