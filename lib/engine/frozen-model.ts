// A model that can be evaluated: what snapshots are, and what trainable models build on.
// Must not load anything: engine.ts makes these.

import type { PackedBatch } from "../data/index.js";
import { fail } from "../errors/index.js";
import { loadTokenizer, type Tokenizer } from "../text/index.js";
import type { NativeDescription, NativeStepResult } from "./addon-types.js";
import type {
  AvailableMemory,
  CompletionSums,
  DType,
  ForwardResult,
  FrozenModel,
  Generation,
  JobOptions,
  KlResult,
  LossSpec,
  MemoryUse,
  ReservedRoom,
  SamplingOptions,
  StepResult,
} from "./contract.js";
import { startGeneration } from "./generation.js";
import { divergences } from "./kl.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative } from "./native-job.js";
import { limitsOf } from "./sampling-options.js";

export interface ForwardOptions extends JobOptions {
  /** Divides the logits; default 1. */
  readonly temperature?: number;
  /** Also return the states after the final norm. */
  readonly hidden?: boolean;
  /** Also return all logits of the targets. */
  readonly logits?: boolean;
}

export class LoadedFrozenModel implements FrozenModel {
  protected readonly jobs: ModelJobs;
  protected readonly description: NativeDescription;
  /** Where the model, or the one it is a copy of, was loaded from. */
  readonly source: string;
  #tokenizer: Promise<Tokenizer> | undefined;

  constructor(jobs: ModelJobs, source: string) {
    this.jobs = jobs;
    this.source = source;
    this.description = callNative(() => jobs.addon.describe(jobs.handle));
  }

  get dtype(): DType {
    return this.description.dtype;
  }

  get vocabularySize(): number {
    return this.description.vocabularySize;
  }

  get maxPositions(): number {
    return this.description.maxPositions;
  }

  get parameters(): number {
    return this.description.parameters;
  }

  get scoreHeads(): number {
    return this.description.scoreHeads;
  }

  memory(): MemoryUse {
    const { addon, handle } = this.jobs;
    return callNative(() => addon.memoryOf(handle));
  }

  availableMemory(): AvailableMemory {
    return this.jobs.available();
  }

  reserve(room: ReservedRoom): Promise<void> {
    return this.jobs.reserve(room);
  }

  /** The part of `memory()` that models on the same base hold together. */
  baseMemory(): MemoryUse & { readonly base: number } {
    const { addon, handle } = this.jobs;
    return callNative(() => addon.baseMemoryOf(handle));
  }

  async evaluate(batch: PackedBatch, loss: LossSpec, options: JobOptions = {}): Promise<StepResult> {
    const { signal } = options;
    return stepResult(
      await this.jobs.run({ signal }, ({ addon, handle, job }) => addon.evaluate(handle, job, batch, loss)),
    );
  }

  async forward(batch: PackedBatch, options: ForwardOptions = {}): Promise<ForwardResult> {
    const { temperature = 1, hidden = false, logits = false, signal } = options;
    if (!(temperature > 0 && Number.isFinite(temperature)))
      throw fail("ATTUNE_OPTION", `Expected temperature above 0 but received ${temperature}.`);
    return this.jobs.run({ signal }, ({ addon, handle, job }) =>
      addon.forward(handle, job, batch, temperature, hidden, logits),
    );
  }

  async scores(batch: PackedBatch, options: JobOptions = {}): Promise<Float32Array> {
    return this.jobs.run({ signal: options.signal }, ({ addon, handle, job }) =>
      addon.score(handle, job, batch),
    );
  }

  async states(batch: PackedBatch, options: JobOptions = {}): Promise<Float32Array> {
    return this.jobs.run({ signal: options.signal }, ({ addon, handle, job }) =>
      addon.states(handle, job, batch),
    );
  }

  async kl(batch: PackedBatch, reference: FrozenModel, options: JobOptions = {}): Promise<KlResult> {
    return divergences({
      ...options,
      jobs: this.jobs,
      reference: LoadedFrozenModel.jobsOf(reference),
      batch,
    });
  }

  tokenizer(): Promise<Tokenizer> {
    this.#tokenizer ??= loadTokenizer({ path: this.source });
    return this.#tokenizer;
  }

  async startGeneration(prompts: readonly Int32Array[], options: SamplingOptions = {}): Promise<Generation> {
    const { jobs, vocabularySize, maxPositions } = this;
    const tokenizer = await limitsOf(() => this.tokenizer(), options);
    return startGeneration({ jobs, prompts, options, vocabularySize, maxPositions, tokenizer });
  }

  /** Of a model that takes part in a job of another one. */
  protected static jobsOf(model: FrozenModel): ModelJobs {
    if (model instanceof LoadedFrozenModel) return model.jobs;
    const text = `Expected reference to be a model of an engine but received ${String(model)}.`;
    throw fail("ATTUNE_OPTION", text);
  }

  dispose(): Promise<void> {
    return this.jobs.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Native code gives completions as a flat array. */
export function stepResult(result: NativeStepResult): StepResult {
  return { ...result, completions: completionSums(result.completions) };
}

function completionSums(flat: Float64Array): CompletionSums[] {
  const at = (index: number): number => flat[index] ?? 0;
  return Array.from({ length: flat.length / 5 }, (_, i) => ({
    logprob: at(5 * i),
    entropy: at(5 * i + 1),
    meanLogit: at(5 * i + 2),
    correct: at(5 * i + 3),
    count: at(5 * i + 4),
  }));
}
