// What models say of the tokens of a rollout: the reference, the value network, the policy of now.
// Must not sample or score answers.

import { type PackedBatch, packStep } from "../data/index.js";
import type { FrozenModel, JobOptions, TrainableModel } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { placeTargets, rolloutRows, type SampledRollout } from "./rollout.js";

/** A model with one score head, and what is added to its scores. */
export type ValueModel = Pick<TrainableModel, "scores" | "scoreHeads" | "scoreNormalisation">;

export interface RolloutProgress {
  readonly phase: "samples" | "reference" | "values" | "rewards";
  readonly done: number;
  readonly total: number;
}

export interface ModelPasses extends JobOptions {
  readonly policy: Pick<FrozenModel, "kl">;
  /** Frozen, of the same vocabulary; absent: no log-probs of a reference. */
  readonly reference?: FrozenModel | undefined;
  /** Also the exact KL to the reference at every token; at temperature 1 only. Default false. */
  readonly exactKl?: boolean;
  readonly value?: ValueModel | undefined;
  /** Trunk rows of one micro-batch; the result does not depend on it. Default 2048. */
  readonly microBatchTokens?: number;
  readonly onProgress?: (progress: RolloutProgress) => void;
}

/** Throws ATTUNE_OPTION and ATTUNE_MODEL for what cannot be computed. */
export function checkPasses({ reference, value, exactKl = false }: ModelPasses, temperature: number): void {
  if (exactKl && reference === undefined)
    throw fail("ATTUNE_OPTION", "Expected a reference beside exactKl but there is none.");
  if (exactKl && temperature !== 1) {
    const text = `Expected temperature 1 beside exactKl, which is of undivided logits, but received ${temperature}.`;
    throw fail("ATTUNE_OPTION", `${text} Use kl k1, k2 or k3.`);
  }
  if (value !== undefined && value.scoreHeads !== 1) {
    const text = `Expected a value model with one score head but this one has ${value.scoreHeads}.`;
    throw fail("ATTUNE_MODEL", text);
  }
}

/** Log-probs of the reference and values, as far as they are asked for. */
export async function modelPasses(
  options: ModelPasses,
  sampled: SampledRollout,
): Promise<Pick<SampledRollout, "referenceLogprobs" | "exactKl" | "values">> {
  if (options.reference === undefined && options.value === undefined) return {};
  const pass = { options, sampled, batches: batchesOf(sampled, options) };
  return { ...(await referencePass(pass)), ...(await valuePass(pass)) };
}

export interface RolloutLogprobs extends Pick<ModelPasses, "microBatchTokens" | "signal"> {
  readonly model: Pick<FrozenModel, "forward">;
  readonly rollout: SampledRollout;
}

/** [tokens] log-probs of a rollout's answers under a model, at the rollout's temperature (nats). */
export async function logprobsOfRollout({
  model,
  rollout,
  ...options
}: RolloutLogprobs): Promise<Float32Array> {
  const { temperature } = rollout;
  const pass = { options, sampled: rollout, batches: batchesOf(rollout, options) };
  return perToken(pass, "samples", async (batch) => {
    const { logprobs } = await model.forward(batch, { temperature, ...jobOf(options) });
    return logprobs;
  });
}

function batchesOf(
  sampled: SampledRollout,
  { microBatchTokens = 2048 }: Pick<ModelPasses, "microBatchTokens">,
): readonly PackedBatch[] {
  const rows = Array.from(sampled.finish.keys());
  return packStep({ data: rolloutRows(sampled), rows, microBatchTokens, sharePrompts: true });
}

interface Pass<Options = ModelPasses> {
  readonly options: Options;
  readonly sampled: SampledRollout;
  readonly batches: readonly PackedBatch[];
}

async function referencePass(pass: Pass): Promise<Pick<SampledRollout, "referenceLogprobs" | "exactKl">> {
  const { policy, reference, exactKl = false } = pass.options;
  if (reference === undefined) return {};
  const { temperature } = pass.sampled;
  const job = jobOf(pass.options);
  const referenceLogprobs = await perToken(pass, "reference", async (batch) => {
    const { logprobs } = await reference.forward(batch, { temperature, ...job });
    return logprobs;
  });
  if (!exactKl) return { referenceLogprobs };
  const found = await perToken(pass, "reference", async (batch) => {
    const { kl } = await policy.kl(batch, reference, job);
    return kl;
  });
  return { referenceLogprobs, exactKl: found };
}

async function valuePass(pass: Pass): Promise<Pick<SampledRollout, "values">> {
  const { value } = pass.options;
  if (value === undefined) return {};
  const bias = value.scoreNormalisation?.bias[0] ?? 0;
  const job = jobOf(pass.options);
  const values = await perToken(pass, "values", async (batch) => {
    const scores = await value.scores(batch, job);
    return scores.map((score) => score + bias);
  });
  return { values };
}

/** [tokens] what `compute` says of the targets of every batch. */
async function perToken(
  { options, sampled, batches }: Pass<Pick<ModelPasses, "signal" | "onProgress">>,
  phase: RolloutProgress["phase"],
  compute: (batch: PackedBatch) => Promise<Float32Array>,
): Promise<Float32Array> {
  const into = new Float32Array(sampled.tokens.length);
  let done = 0;
  for (const batch of batches) {
    options.signal?.throwIfAborted();
    placeTargets(batch, sampled.starts, { from: await compute(batch), into });
    done += batch.rows.length;
    options.onProgress?.({ phase, done, total: sampled.finish.length });
  }
  return into;
}

function jobOf({ signal }: JobOptions): JobOptions {
  return signal === undefined ? {} : { signal };
}
