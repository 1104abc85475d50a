// Parts of a rollout in the form that policy and value losses take them. Pure.

import type { PackedBatch } from "../../data/index.js";
import type { PolicyLoss } from "../../engine/contract.js";
import { type Numbers, type Rollout, valuesOfTargets } from "../../rollout/index.js";
import { type TermMean, termScale } from "../term-means.js";

/** What every policy loss needs of a rollout and its minibatch. */
export interface PolicyParts {
  readonly rollout: Rollout;
  /** [tokens of the rollout], or [samples] for ratios of sequences. */
  readonly advantages: Numbers;
  /** [tokens] log-probs when the update began, where the rollout was stale by then. */
  readonly startLogprobs: Numbers | undefined;
  /** Of the minibatch. */
  readonly counts: MinibatchCounts;
  readonly mean: TermMean;
  readonly ratio: PolicyLoss["ratio"];
}

export interface MinibatchCounts {
  readonly tokens: number;
  readonly rows: number;
}

/** Tokens and answers of a minibatch. */
export function minibatchCounts({ starts }: Pick<Rollout, "starts">, rows: Int32Array): MinibatchCounts {
  let tokens = 0;
  for (const row of rows) tokens += (starts[row + 1] ?? 0) - (starts[row] ?? 0);
  return { tokens, rows: rows.length };
}

/** The fields of a policy loss for one micro-batch; the form and its weights are the algorithm's. */
export function policyParts(batch: PackedBatch, parts: PolicyParts) {
  const { rollout, advantages, startLogprobs, counts, mean, ratio } = parts;
  const { starts, logprobs, referenceLogprobs, temperature, maxNewTokens } = rollout;
  const ofTargets = (values: Numbers) => valuesOfTargets(batch, starts, values);
  return {
    kind: "policy",
    ratio,
    ...termScale(mean, batch, { ...counts, maxNewTokens }),
    advantages:
      ratio === "token"
        ? ofTargets(advantages)
        : Float64Array.from(batch.rows, (sample) => advantages[sample] ?? Number.NaN),
    oldLogprobs: ofTargets(logprobs),
    ...(startLogprobs === undefined ? {} : { startLogprobs: ofTargets(startLogprobs) }),
    ...(referenceLogprobs === undefined ? {} : { referenceLogprobs: ofTargets(referenceLogprobs) }),
    temperature,
  } as const;
}
