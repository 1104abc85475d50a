// Samples answers to prompts, and computes what the frozen reference and the value model say of every token of them.
// Must not score answers: score-rollout.ts does.

import type { FrozenModel, JobOptions, SamplingOptions } from "../engine/index.js";
import { expectKeys } from "../engine/options.js";
import { fail } from "../errors/index.js";
import { checkPasses, type ModelPasses, modelPasses } from "./model-passes.js";
import type { SampledRollout } from "./rollout.js";
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

export interface SampleRollout extends ModelPasses {
  readonly policy: Pick<FrozenModel, "startGeneration" | "kl">;
  readonly prompts: readonly Pick<RolloutPrompt, "ids" | "row">[];
  readonly sampling: RolloutSampling;
  /** 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Number of this rollout in its run: another one draws other samples. Default 0. */
  readonly number?: number;
  /** Optimiser steps that the policy has taken, as the caller counts them. Default 0. */
  readonly policyStep?: number;
}

/** Throws ATTUNE_NO_ROWS without prompts, ATTUNE_OPTION, ATTUNE_MODEL, and what sampling throws. */
export async function sampleRollout(options: SampleRollout): Promise<SampledRollout> {
  checkOptions(options);
  const sampled = await sampleAnswers(options);
  return { ...sampled, ...(await modelPasses(options, sampled)) };
}

const samplingKeys = [
  "maxNewTokens",
  "temperature",
  "stopTokens",
  "samples",
  "batchSize",
  "vocabulary",
] as const satisfies readonly (keyof RolloutSampling)[];

function checkOptions(options: SampleRollout): void {
  const { prompts, sampling } = options;
  expectKeys("sampling", sampling, samplingKeys);
  const { temperature = 1 } = sampling;
  if (prompts.length === 0) throw fail("ATTUNE_NO_ROWS", "Expected at least one prompt but received none.");
  if (!(temperature > 0)) {
    const text = `Expected temperature above 0 but received ${temperature}: greedy answers have no log-prob to compare with.`;
    throw fail("ATTUNE_OPTION", text);
  }
  checkPasses(options, temperature);
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

function jobOf({ signal }: JobOptions): JobOptions {
  return signal === undefined ? {} : { signal };
}
