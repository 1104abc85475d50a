// How far a policy has moved from its reference: exact KL on given rows, and by samples of its own.
// Must not train, and must not pick rows or prompts: callers do.

import { type PackableRow, type PackableRows, packStep } from "../data/index.js";
import type { FrozenModel, JobOptions, SamplingOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type MeanWithError, meanWithError } from "./intervals.js";

export interface KlToReferenceOptions extends JobOptions {
  readonly policy: FrozenModel;
  /** Of the same vocabulary, on the same engine. */
  readonly reference: FrozenModel;
  readonly rows: PackableRows;
  /** Trunk rows of one micro-batch. Default 2048. */
  readonly microBatchTokens?: number;
  readonly onProgress?: (fraction: number) => void;
}

export interface KlSummary extends MeanWithError {
  /** [completions] sums over each completion's tokens, nats; `mean` is theirs. */
  readonly answers: Float64Array;
  /** Mean over all tokens. */
  readonly perToken: number;
}

export interface KlToReference {
  readonly answers: number;
  readonly tokens: number;
  /** KL(policy || reference) over the whole vocabulary at every target. */
  readonly kl: KlSummary;
  /** KL(reference || policy) */
  readonly reverseKl: KlSummary;
}

/** Rows packed together: enough to fill micro-batches well, few enough to read. */
const ROWS_AT_ONCE = 256;

/** Exact KL of the policy to its reference on the tokens of given answers. */
export async function klToReference(options: KlToReferenceOptions): Promise<KlToReference> {
  const { policy, reference, rows, microBatchTokens = 2048, signal, onProgress } = options;
  if (rows.length === 0) throw fail("ATTUNE_NO_ROWS", "Expected at least one row but received none.");
  const job = signal === undefined ? {} : { signal };
  const kl: number[] = [];
  const reverse: number[] = [];
  let tokens = 0;
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, rows.length - first);
    const numbers = Int32Array.from({ length: count }, (_, i) => first + i);
    // Sums of each row's completions, put in the order of rows whatever batch they were in.
    const sums = new Map<number, { readonly kl: number[]; readonly reverse: number[] }>();
    for (const batch of packStep({ data: rows, rows: numbers, microBatchTokens })) {
      const result = await policy.kl(batch, reference, job);
      tokens += batch.counts.targets;
      const [forward, backward] = [result.kl, result.reverseKl].map((values) =>
        completionSums(values, batch.completions),
      ) as [number[], number[]];
      batch.rows.forEach((row, group) => {
        const from = batch.groups[2 * group] ?? 0;
        const end = from + (batch.groups[2 * group + 1] ?? 0);
        sums.set(row, { kl: forward.slice(from, end), reverse: backward.slice(from, end) });
      });
    }
    for (const row of numbers) {
      kl.push(...(sums.get(row)?.kl ?? []));
      reverse.push(...(sums.get(row)?.reverse ?? []));
    }
    onProgress?.((first + count) / rows.length);
  }
  if (tokens === 0) throw fail("ATTUNE_NO_ROWS", "Expected rows with answers but no token of them counts.");
  return { answers: kl.length, tokens, kl: summary(kl, tokens), reverseKl: summary(reverse, tokens) };
}

function completionSums(values: Float32Array, completions: Int32Array): number[] {
  return Array.from({ length: completions.length / 2 }, (_, i) => {
    const first = completions[2 * i] ?? 0;
    const end = first + (completions[2 * i + 1] ?? 0);
    let sum = 0;
    for (let t = first; t < end; t++) sum += values[t] ?? 0;
    return sum;
  });
}

function summary(sums: readonly number[], tokens: number): KlSummary {
  const answers = Float64Array.from(sums);
  const error = meanWithError(answers);
  return { ...error, answers, perToken: (error.mean * answers.length) / tokens };
}

export interface SampledKlOptions
  extends JobOptions,
    Pick<
      SamplingOptions,
      "maxNewTokens" | "temperature" | "stopTokens" | "samples" | "seed" | "step" | "batchSize"
    > {
  readonly policy: FrozenModel;
  readonly reference: Pick<FrozenModel, "forward">;
  /** Token ids. */
  readonly prompts: readonly Int32Array[];
  /** Trunk rows of one micro-batch of the reference. Default 2048. */
  readonly microBatchTokens?: number;
  readonly onProgress?: (fraction: number) => void;
}

/** Over fresh samples; `mean` is of sum_t k1 over answers, its error is that of the prompts' means. */
export interface SampledKl extends MeanWithError {
  readonly perToken: number;
  /** [prompts * samples] sum over tokens of log policy - log reference. */
  readonly answers: Float64Array;
  readonly meanLength: number;
}

/** KL(policy || reference) of whole answers, as the mean of sum_t k1 over answers that the policy samples now. */
export async function klOnSamples(options: SampledKlOptions): Promise<SampledKl> {
  const { prompts, reference, samples = 1, temperature = 1, microBatchTokens = 2048, signal } = options;
  if (prompts.length === 0) throw fail("ATTUNE_NO_ROWS", "Expected at least one prompt but received none.");
  if (!(temperature > 0)) {
    const text = `Expected temperature above 0 (greedy answers say nothing of KL) but received ${temperature}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  const sampled = await samplePolicy(options);
  const data: PackableRow[] = prompts.map((prompt, i) => ({
    prompt,
    completions: sampled.slice(i * samples, (i + 1) * samples).map(({ ids }) => Int32Array.from(ids)),
  }));
  const answers = Float64Array.from(sampled, ({ logprob }) => logprob);
  const job = signal === undefined ? {} : { signal };
  let done = 0;
  for (const batch of packStep({ data, rows: data.map((_, i) => i), microBatchTokens })) {
    const { logprobs } = await reference.forward(batch, { temperature, ...job });
    const sums = completionSums(logprobs, batch.completions);
    batch.rows.forEach((row, group) => {
      const from = batch.groups[2 * group] ?? 0;
      for (let s = 0; s < samples; s++) {
        const place = row * samples + s;
        answers[place] = (answers[place] ?? 0) - (sums[from + s] ?? 0);
      }
    });
    done += batch.rows.length;
    options.onProgress?.(0.5 + (0.5 * done) / prompts.length);
  }
  const tokens = sampled.reduce((sum, { ids }) => sum + ids.length, 0);
  // Answers to one prompt are alike: prompts are what was drawn independently.
  const means = prompts.map(
    (_, i) => answers.slice(i * samples, (i + 1) * samples).reduce((sum, value) => sum + value, 0) / samples,
  );
  const error = meanWithError(means);
  return {
    ...error,
    answers,
    perToken: (error.mean * answers.length) / tokens,
    meanLength: tokens / answers.length,
  };
}

interface SampledAnswer {
  readonly ids: number[];
  /** Summed under the policy at the temperature. */
  logprob: number;
}

async function samplePolicy(options: SampledKlOptions): Promise<SampledAnswer[]> {
  const { policy, prompts, signal, onProgress } = options;
  const { maxNewTokens, temperature, stopTokens, samples = 1, seed, step, batchSize } = options;
  const given = { maxNewTokens, temperature, stopTokens, samples, seed, step, batchSize };
  const sampling = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const answers = Array.from(
    { length: prompts.length * samples },
    (): SampledAnswer => ({ ids: [], logprob: 0 }),
  );
  const job = signal === undefined ? {} : { signal };
  const generation = await policy.startGeneration(prompts, sampling);
  let finished = 0;
  try {
    for (let next = await generation.next(job); next !== undefined; next = await generation.next(job)) {
      for (const [i, sequence] of next.sequences.entries()) {
        const answer = answers[sequence];
        answer?.ids.push(next.tokens[i] ?? 0);
        if (answer !== undefined) answer.logprob += next.modelLogprobs[i] ?? Number.NaN;
        if (next.finished[i] !== 0) finished += 1;
      }
      onProgress?.((0.5 * finished) / answers.length);
    }
  } finally {
    await generation.dispose();
  }
  return answers;
}
