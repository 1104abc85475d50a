// Samples answers to prompts, and computes what the frozen reference and the value model say of every token of them.
// Must not score answers: score-rollout.ts does.

import { type PackedBatch, packStep } from "../data/index.js";
import type { FrozenModel, JobOptions, SamplingOptions, TrainableModel } from "../engine/index.js";
import { expectKeys } from "../engine/options.js";
import { fail } from "../errors/index.js";
import { placeTargets, rolloutRows, type SampledRollout } from "./rollout.js";
import type { RolloutPrompt } from "./rollout-prompts.js";
import { startsOf } from "./sequences.js";

/**
 * How answers are sampled. Filters (top-k, top-p, min-p) and penalties are missing on purpose: under them the measured KL is
 * that of another distribution.
 */
export type RolloutSampling = Pick<
  SamplingOptions,
  "maxNewTokens" | "temperature" | "stopTokens" | "samples" | "batchSize" | "vocabulary"
>;

/** A model with one score head, and what is added to its scores. */
export type ValueModel = Pick<TrainableModel, "scores" | "scoreHeads" | "scoreNormalisation">;

export interface RolloutProgress {
  readonly phase: "samples" | "reference" | "values" | "rewards";
  readonly done: number;
  readonly total: number;
}

export interface SampleRollout extends JobOptions {
  readonly policy: Pick<FrozenModel, "startGeneration" | "kl">;
  /** Frozen, of the same vocabulary; absent: no log-probs of a reference. */
  readonly reference?: FrozenModel | undefined;
  /** Also the exact KL to the reference at every token; at temperature 1 only. Default false. */
  readonly exactKl?: boolean;
  readonly value?: ValueModel | undefined;
  readonly prompts: readonly Pick<RolloutPrompt, "ids" | "row">[];
  readonly sampling: RolloutSampling;
  /** 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Number of this rollout in its run: another one draws other samples. Default 0. */
  readonly number?: number;
  /** Optimiser steps that the policy has taken, as the caller counts them. Default 0. */
  readonly policyStep?: number;
  /** Trunk rows of one micro-batch; the result does not depend on it. Default 2048. */
  readonly microBatchTokens?: number;
  readonly onProgress?: (progress: RolloutProgress) => void;
}

/** Throws ATTUNE_NO_ROWS without prompts, ATTUNE_OPTION, ATTUNE_MODEL, and what sampling throws. */
export async function sampleRollout(options: SampleRollout): Promise<SampledRollout> {
  checkOptions(options);
  const sampled = await sampleAnswers(options);
  const rows = Array.from(sampled.finish.keys());
  const { microBatchTokens = 2048 } = options;
  const needed = options.reference !== undefined || options.value !== undefined;
  const batches = needed
    ? packStep({ data: rolloutRows(sampled), rows, microBatchTokens, sharePrompts: true })
    : [];
  const pass = { options, sampled, batches };
  return { ...sampled, ...(await referencePass(pass)), ...(await valuePass(pass)) };
}

const samplingKeys = [
  "maxNewTokens",
  "temperature",
  "stopTokens",
  "samples",
  "batchSize",
  "vocabulary",
] as const satisfies readonly (keyof RolloutSampling)[];

function checkOptions({ prompts, sampling, reference, value, exactKl = false }: SampleRollout): void {
  expectKeys("sampling", sampling, samplingKeys);
  const { temperature = 1 } = sampling;
  if (prompts.length === 0) throw fail("ATTUNE_NO_ROWS", "Expected at least one prompt but received none.");
  if (!(temperature > 0)) {
    const text = `Expected temperature above 0 but received ${temperature}: greedy answers have no log-prob to compare with.`;
    throw fail("ATTUNE_OPTION", text);
  }
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

interface Answer {
  readonly tokens: number[];
  readonly logprobs: number[];
  finish: number;
}

async function sampleAnswers(options: SampleRollout): Promise<SampledRollout> {
  const { prompts, sampling, seed = 0, number = 0, policyStep = 0 } = options;
  const { samples = 1, temperature = 1, maxNewTokens = 128 } = sampling;
  const answers = await decode(options, prompts.length * samples);
  const ids = prompts.map(({ ids: prompt }) => prompt);
  return {
    number,
    seed: BigInt(seed),
    policyStep,
    temperature,
    maxNewTokens,
    samples,
    promptRows: Int32Array.from(prompts, ({ row }) => row),
    promptStarts: startsOf(ids.map(({ length }) => length)),
    promptTokens: Int32Array.from(ids.flatMap((prompt) => Array.from(prompt))),
    starts: startsOf(answers.map(({ tokens }) => tokens.length)),
    tokens: Int32Array.from(answers.flatMap(({ tokens }) => tokens)),
    finish: Uint8Array.from(answers, ({ finish }) => finish),
    logprobs: Float32Array.from(answers.flatMap(({ logprobs }) => logprobs)),
  };
}

async function decode(options: SampleRollout, count: number): Promise<readonly Answer[]> {
  const { policy, prompts, sampling, seed = 0, number = 0, onProgress } = options;
  const answers = Array.from({ length: count }, (): Answer => ({ tokens: [], logprobs: [], finish: 0 }));
  const ids = prompts.map(({ ids: prompt }) => prompt);
  const generation = await policy.startGeneration(ids, { ...sampling, seed, step: number });
  let done = 0;
  try {
    const job = jobOf(options);
    for (let step = await generation.next(job); step !== undefined; step = await generation.next(job)) {
      const before = done;
      for (const [i, sequence] of step.sequences.entries()) {
        const answer = answers[sequence];
        if (answer === undefined) throw fail("ATTUNE_INTERNAL", `No answer ${sequence} of ${count}.`);
        answer.tokens.push(step.tokens[i] ?? 0);
        // Over the whole vocabulary, as the trainer's, also where fewer ids than the model has may be drawn.
        answer.logprobs.push(step.modelLogprobs[i] ?? Number.NaN);
        answer.finish = step.finished[i] ?? 0;
        if (answer.finish !== 0) done += 1;
      }
      if (done > before) onProgress?.({ phase: "samples", done, total: count });
    }
  } finally {
    await generation.dispose();
  }
  return answers;
}

interface Pass {
  readonly options: SampleRollout;
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
  { options, sampled, batches }: Pass,
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
