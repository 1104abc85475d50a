// Sequences being sampled: one native job per decode step.
// Must not know text: generate.ts makes prompts of it and text of the tokens.

import { AttuneError, fail } from "../errors/index.js";
import type { GenerationHandle, NativeSampling } from "./addon-types.js";
import type { DecodedTokens, Generation, GenerationCounts, JobOptions, SamplingOptions } from "./contract.js";
import { requireGenerationMemory } from "./memory.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative, runJob } from "./native-job.js";
import { resolveSampling, type TokenizerLimits } from "./sampling-options.js";

export interface StartGenerationOptions {
  readonly jobs: ModelJobs;
  readonly prompts: readonly Int32Array[];
  readonly options: SamplingOptions;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly tokenizer: TokenizerLimits | undefined;
}

/** Trunk rows of one prefill pass, as native code cuts them. */
const PREFILL_ROWS = 2048;

/** Throws ATTUNE_OPTION, ATTUNE_DATA and, when it would not fit, ATTUNE_MEMORY with the numbers. */
export async function startGeneration(request: StartGenerationOptions): Promise<NativeGeneration> {
  const { jobs, prompts, maxPositions } = request;
  const { addon, handle } = jobs;
  const sampling = resolveSampling(request);
  for (const [index, ids] of prompts.entries()) expectLength(ids, index, maxPositions);
  const lengths = Int32Array.from(prompts, ({ length }) => length);
  if (prompts.length > 0) {
    const rows = mostRows(lengths, sampling, maxPositions);
    const targets = atOnce(lengths, sampling);
    const bytes = requireGenerationMemory({
      cache: callNative(() => addon.planGeneration(handle, lengths, sampling)),
      planned: callNative(() => addon.plan(handle, rows, targets, false)),
      held: callNative(() => addon.memoryOf(handle)),
      available: jobs.available(),
    });
    await jobs.reserve({ bytes, rows, targets, training: false });
  }
  const tokens = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const ids of prompts) {
    tokens.set(ids, at);
    at += ids.length;
  }
  const generation = callNative(() => addon.startGeneration(handle, tokens, lengths, sampling));
  const sequences = prompts.length * sampling.samples;
  const made = new NativeGeneration({ jobs, handle: generation, sequences });
  jobs.keep(made);
  return made;
}

function expectLength(ids: Int32Array, index: number, maxPositions: number): void {
  if (ids.length === 0) {
    const text = `Prompt ${index}: expected at least one token, which predicts the first new one.`;
    throw fail("ATTUNE_DATA", text, { details: { prompt: index } });
  }
  if (ids.length < maxPositions) return;
  const text = `Prompt ${index}: expected fewer tokens than the model's ${maxPositions} positions but received ${ids.length}.`;
  throw fail("ATTUNE_DATA", `${text} Shorten it.`, { details: { prompt: index } });
}

/** Rows of the largest pass: a prefill, or caches made again after the weights changed. */
function mostRows(lengths: Int32Array, sampling: NativeSampling, maxPositions: number): number {
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const one = Math.min(longest + sampling.maxNewTokens, maxPositions);
  return Math.max(one, Math.min(PREFILL_ROWS, total), atOnce(lengths, sampling));
}

/** Sequences decoded in one step at most. */
function atOnce(lengths: Int32Array, { batchSize, samples }: NativeSampling): number {
  return Math.min(batchSize, lengths.length * samples);
}

export class NativeGeneration implements Generation {
  readonly #jobs: ModelJobs;
  readonly #handle: GenerationHandle;
  readonly #sequences: number;
  #disposal: Promise<void> | undefined;

  constructor(options: { jobs: ModelJobs; handle: GenerationHandle; sequences: number }) {
    this.#jobs = options.jobs;
    this.#handle = options.handle;
    this.#sequences = options.sequences;
  }

  async next(options: JobOptions = {}): Promise<DecodedTokens | undefined> {
    if (this.#disposal !== undefined) throw disposed();
    return this.#jobs.run({ signal: options.signal }, ({ addon, job }) =>
      addon.nextTokens(this.#handle, job),
    );
  }

  finish(sequence: number): void {
    if (!(Number.isInteger(sequence) && sequence >= 0 && sequence < this.#sequences)) {
      const text = `Expected a sequence from 0 to ${this.#sequences - 1} but received ${sequence}.`;
      throw fail("ATTUNE_OPTION", text);
    }
    callNative(() => this.#jobs.addon.finishSequence(this.#handle, sequence));
  }

  get counts(): GenerationCounts {
    return callNative(() => this.#jobs.addon.generationCounts(this.#handle));
  }

  /** Frees the caches, after a step that is under way. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const { addon } = this.#jobs;
    try {
      await runJob({ addon }, (job) => addon.disposeGeneration(this.#handle, job));
    } catch (error) {
      // The engine went first: nothing is left to do.
      if (!(error instanceof AttuneError && error.code === "ATTUNE_DISPOSED")) throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function disposed(): AttuneError {
  return fail("ATTUNE_DISPOSED", "The generation was disposed. Start another one.");
}
