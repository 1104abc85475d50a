// A loaded model and its frozen copies: plain data in, plain data out, over jobs of the engine.
// Must not load anything: engine.ts makes these.

import type { PackedBatch } from "../data/index.js";
import { fail } from "../errors/index.js";
import { loadTokenizer, type Tokenizer } from "../text/index.js";
import { adapterInfo, freshRole, scoreRole } from "./adapter-options.js";
import type { ModelHandle, NativeDescription, NativeStepResult } from "./addon-types.js";
import { expectSameBase } from "./attune-json.js";
import type {
  AdapterInfo,
  AdapterOptions,
  CompletionSums,
  DType,
  ForwardResult,
  FrozenModel,
  Generation,
  JobOptions,
  LossSpec,
  MemoryUse,
  SamplingOptions,
  ScoreHeadOptions,
  StepResult,
  TrainableModel,
  UpdateOptions,
  UpdateResult,
} from "./contract.js";
import {
  complete,
  type GeneratedChunk,
  type GeneratedCompletion,
  type GenerateOptions,
  generate,
  type Prompts,
} from "./generate.js";
import { startGeneration } from "./generation.js";
import { type LogprobRow, type LogprobsOptions, rowLogprobs } from "./logprobs.js";
import type { ModelDescription } from "./model-description.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative } from "./native-job.js";
import { expectDType, expectKeys } from "./options.js";
import { peftRole } from "./peft-folder.js";
import { limitsOf } from "./sampling-options.js";
import { saveAdapter, saveMerged, saveModel } from "./save-model.js";

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
  /**
   * Samples after each prompt (text, messages or ids; one, or an array of them), token by token as they are drawn.
   * Leaving the loop frees everything. Options, chunks and what white space does: docs/api.md.
   */
  generate(prompts: Prompts, options?: GenerateOptions): AsyncGenerator<GeneratedChunk, void, undefined>;
  /** The same in one piece: a completion per prompt and sample, in their order. */
  complete(prompts: Prompts, options?: GenerateOptions): Promise<GeneratedCompletion[]>;
  /** Scores of the scalar head at the batch's target rows; for models with one label. */
  scores(batch: PackedBatch, options?: JobOptions): Promise<Float32Array>;
  /** The part of `memory()` that all models on the same base hold together; `base` tells bases apart. */
  baseMemory(): MemoryUse & { readonly base: number };
  /** The tokenizer beside the weights; read at the first call. */
  tokenizer(): Promise<Tokenizer>;
  save(folder: string, options?: SaveOptions): Promise<void>;
  /**
   * A Hugging Face folder of the base with the adapter added to its weights (W + scale B A, rounded once); with a scalar
   * head it is a sequence classifier. Throws ATTUNE_OPTION where there is no adapter.
   */
  saveMerged(folder: string, options?: SaveOptions): Promise<void>;
  /**
   * Another model on the same base: an adapter (new, or of a PEFT folder) and, where asked for, a scalar head of its own.
   * All share the base's weights and work space, and are disposed apart, in any order. While they live the base itself
   * cannot be trained. Throws ATTUNE_OPTION, ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL.
   */
  addAdapter(
    adapter: AdapterOptions | string,
    options?: { readonly scoreHead?: ScoreHeadOptions },
  ): Promise<Model>;
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

  memory(): MemoryUse {
    const { addon, handle } = this.jobs;
    return callNative(() => addon.memoryOf(handle));
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

  tokenizer(): Promise<Tokenizer> {
    this.#tokenizer ??= loadTokenizer({ path: this.source });
    return this.#tokenizer;
  }

  async startGeneration(prompts: readonly Int32Array[], options: SamplingOptions = {}): Promise<Generation> {
    const { jobs, vocabularySize, maxPositions } = this;
    const tokenizer = await limitsOf(() => this.tokenizer(), options);
    return startGeneration({ jobs, prompts, options, vocabularySize, maxPositions, tokenizer });
  }

  dispose(): Promise<void> {
    return this.jobs.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Makes models of the same engine from handles. */
export interface ModelHost {
  readonly frozen: (handle: ModelHandle) => FrozenModel;
  readonly model: (handle: ModelHandle) => Model;
}

export interface LoadedModelOptions {
  readonly jobs: ModelJobs;
  readonly source: string;
  readonly model: ModelDescription;
  readonly host: ModelHost;
}

export class LoadedModel extends LoadedFrozenModel implements Model {
  readonly adapter: AdapterInfo | undefined;
  readonly #model: ModelDescription;
  readonly #host: ModelHost;

  constructor({ jobs, source, model, host }: LoadedModelOptions) {
    super(jobs, source);
    this.adapter = adapterInfo(this.description);
    this.#model = model;
    this.#host = host;
  }

  get trainableParameters(): number {
    return this.description.trainable;
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
    return stepResult(
      await this.jobs.run({ signal }, ({ addon, handle, job }) => addon.step(handle, job, batch, loss)),
    );
  }

  async update(options: UpdateOptions): Promise<UpdateResult> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.update(handle, job, options));
  }

  async clearGradients(): Promise<void> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.clearGradients(handle, job));
  }

  async snapshot(): Promise<FrozenModel> {
    return this.#host.frozen(
      await this.jobs.run({}, ({ addon, handle, job }) => addon.snapshot(handle, job)),
    );
  }

  async addAdapter(
    adapter: AdapterOptions | string,
    options: { readonly scoreHead?: ScoreHeadOptions } = {},
  ): Promise<Model> {
    expectKeys("addAdapter", options, ["scoreHead"]);
    const { scoreHead } = options;
    const role =
      typeof adapter === "string"
        ? await peftRole(adapter, this.description)
        : freshRole(adapter, scoreHead, this.description);
    if (typeof adapter === "string" && scoreHead !== undefined) {
      scoreRole(scoreHead);
      const text = `Expected a score head to come with the adapter in ${adapter}, or a new adapter beside a new head, but received scoreHead with a folder.`;
      throw fail("ATTUNE_OPTION", text);
    }
    const model = this.#host.model(
      await this.jobs.run({}, ({ addon, handle, job }) => addon.addRole(handle, job, role)),
    );
    if (typeof adapter !== "string") return model;
    try {
      // After shapes and names, whose errors say more.
      await expectSameBase(adapter, await this.#fingerprint());
    } catch (error) {
      await model.dispose();
      throw error;
    }
    return model;
  }

  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    const { signal, onProgress } = options;
    const { adapter, linearLayers } = this.description;
    const { json, config } = this.#model;
    const dtype = expectDType(options.dtype ?? (adapter === undefined ? this.dtype : "fp32"));
    const writeWeights = (into: string): Promise<void> =>
      this.jobs.run({ signal, onProgress }, ({ addon, handle, job, progress }) =>
        addon.save(handle, job, into, dtype, progress),
      );
    const { source } = this;
    if (adapter === undefined) await saveModel({ folder, dtype, json, source, writeWeights });
    else {
      const baseFingerprint = await this.#fingerprint();
      await saveAdapter({ folder, adapter, linearLayers, config, baseFingerprint, source, writeWeights });
    }
  }

  #fingerprint(): Promise<string> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.baseFingerprint(handle, job));
  }

  async saveMerged(folder: string, options: SaveOptions = {}): Promise<void> {
    const { signal, onProgress } = options;
    if (this.adapter === undefined) {
      const text = "Expected an adapter to merge into the base but this model has none. Use save().";
      throw fail("ATTUNE_OPTION", text);
    }
    const dtype = expectDType(options.dtype ?? this.dtype);
    const writeWeights = (into: string): Promise<void> =>
      this.jobs.run({ signal, onProgress }, ({ addon, handle, job, progress }) =>
        addon.saveMerged(handle, job, into, dtype, progress),
      );
    const { source } = this;
    const { scoreHead } = this.adapter;
    await saveMerged({ folder, dtype, json: this.#model.json, scoreHead, source, writeWeights });
  }

  async saveState(file: string, options: JobOptions = {}): Promise<void> {
    return this.jobs.run({ signal: options.signal }, ({ addon, handle, job }) =>
      addon.saveState(handle, job, file),
    );
  }

  async loadState(file: string, options: JobOptions = {}): Promise<void> {
    return this.jobs.run({ signal: options.signal }, ({ addon, handle, job }) =>
      addon.loadState(handle, job, file),
    );
  }

  tensors(): NativeDescription["tensors"] {
    return this.description.tensors;
  }

  baseTensors(): NativeDescription["baseTensors"] {
    return this.description.baseTensors;
  }

  async parameter(name: string): Promise<Float32Array> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.parameter(handle, job, name));
  }

  async gradient(name: string): Promise<Float32Array> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.gradient(handle, job, name));
  }

  generate(prompts: Prompts, options: GenerateOptions = {}): AsyncGenerator<GeneratedChunk, void, undefined> {
    return generate({ model: this, prompts, options });
  }

  complete(prompts: Prompts, options: GenerateOptions = {}): Promise<GeneratedCompletion[]> {
    return complete({ model: this, prompts, options });
  }

  async logprobs(rows: Iterable<LogprobRow>, options: LogprobsOptions = {}): Promise<Float32Array[]> {
    return rowLogprobs({ rows, options, model: this, tokenizer: () => this.tokenizer() });
  }
}

function stepResult(result: NativeStepResult): StepResult {
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
