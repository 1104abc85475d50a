// A loaded model and its frozen copies: plain data in, plain data out, over jobs of the engine.
// Must not load anything: engine.ts makes these.

import type { PackedBatch } from "../data/index.js";
import { fail } from "../errors/index.js";
import { loadTokenizer, type Tokenizer } from "../text/index.js";
import type { ModelHandle, NativeDescription } from "./addon-types.js";
import type {
  CompletionSums,
  DType,
  ForwardResult,
  FrozenModel,
  JobOptions,
  LossSpec,
  MemoryUse,
  StepResult,
  TrainableModel,
  UpdateOptions,
  UpdateResult,
} from "./contract.js";
import { type LogprobRow, type LogprobsOptions, rowLogprobs } from "./logprobs.js";
import type { ModelDescription } from "./model-description.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative } from "./native-job.js";
import { expectDType } from "./options.js";
import { saveModel } from "./save-model.js";

export interface ForwardOptions extends JobOptions {
  /** Divides the logits; default 1. */
  readonly temperature?: number;
  /** Also return the states after the final norm. */
  readonly hidden?: boolean;
  /** Also return all logits of the targets. */
  readonly logits?: boolean;
}

export interface SaveOptions extends JobOptions {
  /** Number format of the file; default the model's. */
  readonly dtype?: DType;
  readonly onProgress?: (fraction: number) => void;
}

/** What `loadModel` gives: everything a trainer needs, and log-probs of plain rows. */
export interface Model extends TrainableModel {
  /**
   * Log-probs of completions, one Float32Array per row with one value per completion token (nats). Text is tokenised as
   * in training, but no end-of-text token is added.
   */
  logprobs(rows: Iterable<LogprobRow>, options?: LogprobsOptions): Promise<Float32Array[]>;
  /** Scores of the scalar head at the batch's target rows; for models with one label. */
  scores(batch: PackedBatch, options?: JobOptions): Promise<Float32Array>;
  /** The tokenizer beside the weights; read at the first call. */
  tokenizer(): Promise<Tokenizer>;
  save(folder: string, options?: SaveOptions): Promise<void>;
}

export class LoadedFrozenModel implements FrozenModel {
  protected readonly jobs: ModelJobs;
  protected readonly description: NativeDescription;

  constructor(jobs: ModelJobs) {
    this.jobs = jobs;
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

  memory(): MemoryUse {
    const { addon, handle } = this.jobs;
    return callNative(() => addon.memoryOf(handle));
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

  dispose(): Promise<void> {
    return this.jobs.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

export interface LoadedModelOptions {
  readonly jobs: ModelJobs;
  readonly source: string;
  readonly model: ModelDescription;
  /** Makes a model of the same engine from a snapshot's handle. */
  readonly adopt: (handle: ModelHandle) => FrozenModel;
}

export class LoadedModel extends LoadedFrozenModel implements Model {
  readonly source: string;
  readonly #model: ModelDescription;
  readonly #adopt: (handle: ModelHandle) => FrozenModel;
  #tokenizer: Promise<Tokenizer> | undefined;

  constructor({ jobs, source, model, adopt }: LoadedModelOptions) {
    super(jobs);
    this.source = source;
    this.#model = model;
    this.#adopt = adopt;
  }

  plan(options: { readonly rows: number; readonly targets: number; readonly training: boolean }): MemoryUse {
    const { rows, targets, training } = options;
    const { addon, handle } = this.jobs;
    return callNative(() => addon.plan(handle, rows, targets, training));
  }

  async step(batch: PackedBatch, loss: LossSpec, options: JobOptions = {}): Promise<StepResult> {
    const { signal } = options;
    // Native code clears them when a step fails; one that never begins leaves them no other way.
    if (signal?.aborted) await this.clearGradients();
    const result = await this.jobs.run({ signal }, ({ addon, handle, job }) =>
      addon.step(handle, job, batch, loss),
    );
    return { ...result, completions: completionSums(result.completions) };
  }

  async update(options: UpdateOptions): Promise<UpdateResult> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.update(handle, job, options));
  }

  async clearGradients(): Promise<void> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.clearGradients(handle, job));
  }

  async snapshot(): Promise<FrozenModel> {
    return this.#adopt(await this.jobs.run({}, ({ addon, handle, job }) => addon.snapshot(handle, job)));
  }

  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    const { signal, onProgress } = options;
    const dtype = expectDType(options.dtype ?? this.dtype);
    const writeWeights = (into: string): Promise<void> =>
      this.jobs.run({ signal, onProgress }, ({ addon, handle, job, progress }) =>
        addon.save(handle, job, into, dtype, progress),
      );
    await saveModel({ folder, dtype, json: this.#model.json, source: this.source, writeWeights });
  }

  tensors(): NativeDescription["tensors"] {
    return this.description.tensors;
  }

  async parameter(name: string): Promise<Float32Array> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.parameter(handle, job, name));
  }

  async gradient(name: string): Promise<Float32Array> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.gradient(handle, job, name));
  }

  tokenizer(): Promise<Tokenizer> {
    this.#tokenizer ??= loadTokenizer({ path: this.source });
    return this.#tokenizer;
  }

  async logprobs(rows: Iterable<LogprobRow>, options: LogprobsOptions = {}): Promise<Float32Array[]> {
    return rowLogprobs({ rows, options, model: this, tokenizer: () => this.tokenizer() });
  }
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
