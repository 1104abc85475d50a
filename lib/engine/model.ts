// A loaded model: plain data in, plain data out, over jobs of the engine.
// Must not load anything: engine.ts makes these.

import type { PackedBatch } from "../data/index.js";
import { fail } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import { adapterInfo, freshRole } from "./adapter-options.js";
import type { ModelHandle, NativeDescription } from "./addon-types.js";
import { expectSameBase, readScoreNormalisation } from "./attune-json.js";
import type {
  AdapterInfo,
  AdapterOptions,
  DType,
  FrozenModel,
  JobOptions,
  KlPenalty,
  LossSpec,
  MemoryUse,
  ScoreHeadOptions,
  ScoreNormalisation,
  StepResult,
  TrainableModel,
  UpdateOptions,
  UpdateResult,
  WeightPlace,
} from "./contract.js";
import { LoadedFrozenModel, stepResult } from "./frozen-model.js";
import {
  complete,
  type GeneratedChunk,
  type GeneratedCompletion,
  type GenerateOptions,
  generate,
  type Prompts,
} from "./generate.js";
import { penaltyStep } from "./kl.js";
import { type LogprobRow, type LogprobsOptions, rowLogprobs } from "./logprobs.js";
import type { ModelDescription } from "./model-description.js";
import type { ModelJobs } from "./model-jobs.js";
import { callNative } from "./native-job.js";
import { expectDType, expectKeys, expectWeightPlace } from "./options.js";
import { peftRole } from "./peft-folder.js";
import { saveAdapter, saveMerged, saveModel } from "./save-model.js";
import { type AllScores, rowScores, type ScoreOptions, type ScoreRow, scoresOfHeads } from "./score.js";
import { checkedNormalisation, expectScoreHeads, scoreHeadOptions } from "./score-head.js";

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
  /**
   * Scores of answers by a reward model, one per row: w h + b at the last token, which of text and messages is the EOS, as
   * in training. Of several heads one value by `aggregate`. Throws ATTUNE_MODEL where the model predicts tokens.
   */
  score(rows: Iterable<ScoreRow>, options?: ScoreOptions): Promise<Float32Array>;
  /** The same by every head: `heads[k]` has one score per row. */
  scoreAll(rows: Iterable<ScoreRow>, options?: Omit<ScoreOptions, "aggregate" | "k">): Promise<AllScores>;
  /** The part of `memory()` that all models on the same base hold together; `base` tells bases apart. */
  baseMemory(): MemoryUse & { readonly base: number };
  /** The tokenizer beside the weights; read at the first call. */
  tokenizer(): Promise<Tokenizer>;
  save(folder: string, options?: SaveOptions): Promise<void>;
  /**
   * A Hugging Face folder of the base with the adapter added to its weights (W + scale B A, rounded once); with score
   * heads it is a sequence classifier. Throws ATTUNE_OPTION where there is no adapter.
   */
  saveMerged(folder: string, options?: SaveOptions): Promise<void>;
  /**
   * Another model on the same base: an adapter (new, or of a PEFT folder) and, where asked for, score heads of its own; on
   * a base that scores it gets a copy of the base's.
   * All share the base's weights and work space, and are disposed apart, in any order. While they live the base itself
   * cannot be trained. Throws ATTUNE_OPTION, ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL.
   */
  addAdapter(
    adapter: AdapterOptions | string,
    options?: { readonly scoreHead?: ScoreHeadOptions },
  ): Promise<Model>;
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
  readonly scoreNormalisation: ScoreNormalisation | undefined;
}

export class LoadedModel extends LoadedFrozenModel implements Model {
  readonly adapter: AdapterInfo | undefined;
  readonly #model: ModelDescription;
  readonly #host: ModelHost;
  #scoreNormalisation: ScoreNormalisation | undefined;

  constructor({ jobs, source, model, host, scoreNormalisation }: LoadedModelOptions) {
    super(jobs, source);
    this.adapter = adapterInfo(this.description);
    this.#model = model;
    this.#host = host;
    this.#scoreNormalisation = scoreNormalisation;
  }

  get scoreNormalisation(): ScoreNormalisation | undefined {
    return this.#scoreNormalisation;
  }

  /** Throws ATTUNE_MODEL where there is no score head, ATTUNE_OPTION for what does not fit the heads. */
  set scoreNormalisation(value: ScoreNormalisation | undefined) {
    const { scoreHeads } = this;
    if (value !== undefined) expectScoreHeads(scoreHeads);
    const refuse = (text: string) => fail("ATTUNE_OPTION", `Normalisation of scores: ${text}`);
    this.#scoreNormalisation =
      value === undefined ? undefined : checkedNormalisation(value, scoreHeads, refuse);
  }

  async scaleScoreHeads(factors: readonly number[]): Promise<void> {
    const values = Float64Array.from(factors);
    return this.jobs.run({}, ({ addon, handle, job }) => addon.scaleScoreHeads(handle, job, values));
  }

  get trainableParameters(): number {
    return this.description.trainable;
  }

  plan({ rows, targets, training, weights }: Parameters<TrainableModel["plan"]>[0]): MemoryUse {
    const { addon, handle } = this.jobs;
    const host = weights === undefined ? undefined : weights === "host";
    return callNative(() => addon.plan(handle, rows, targets, training, host));
  }

  async step(batch: PackedBatch, loss: LossSpec, options: JobOptions = {}): Promise<StepResult> {
    const { signal } = options;
    // Native code clears them when a step fails; one that never begins leaves them no other way.
    if (signal?.aborted) await this.clearGradients();
    return stepResult(
      await this.jobs.run({ signal }, ({ addon, handle, job }) => addon.step(handle, job, batch, loss)),
    );
  }

  async klStep(batch: PackedBatch, penalty: KlPenalty, options: JobOptions = {}): Promise<StepResult> {
    if (options.signal?.aborted) await this.clearGradients();
    const reference = LoadedFrozenModel.jobsOf(penalty.reference);
    return stepResult(await penaltyStep({ ...options, jobs: this.jobs, reference, batch }, penalty));
  }

  matchUpdate(loss: "aot" | "aot_unpaired", logprobs: Float64Array, reference: Float64Array): Float64Array {
    return callNative(() => this.jobs.addon.matchUpdate(loss, logprobs, reference));
  }

  async update(options: UpdateOptions): Promise<UpdateResult> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.update(handle, job, options));
  }

  async clearGradients(): Promise<void> {
    return this.jobs.run({}, ({ addon, handle, job }) => addon.clearGradients(handle, job));
  }

  async snapshot(options: { readonly weights?: WeightPlace } = {}): Promise<FrozenModel> {
    expectKeys("snapshot", options, ["weights"]);
    const host = expectWeightPlace(options.weights) === "host";
    return this.#host.frozen(
      await this.jobs.run({}, ({ addon, handle, job }) => addon.snapshot(handle, job, host)),
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
      scoreHeadOptions(scoreHead);
      const text = `Expected a score head to come with the adapter in ${adapter}, or a new adapter beside a new head, but received scoreHead with a folder.`;
      throw fail("ATTUNE_OPTION", text);
    }
    const model = this.#host.model(
      await this.jobs.run({}, ({ addon, handle, job }) => addon.addRole(handle, job, role)),
    );
    // Heads that are the base's, or a copy of them, score as it does.
    if (role.scoreHeads === 0 || role.score === "copy") model.scoreNormalisation = this.#scoreNormalisation;
    if (typeof adapter !== "string") return model;
    try {
      // After shapes and names, whose errors say more.
      await expectSameBase(adapter, await this.#fingerprint());
      const own = role.scoreHeads > 0 ? model.scoreHeads : 0;
      if (own > 0) model.scoreNormalisation = await readScoreNormalisation(adapter, own);
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
    const { source, scoreNormalisation } = this;
    if (adapter === undefined)
      await saveModel({ folder, dtype, json, source, scoreNormalisation, writeWeights });
    else {
      const notes = { baseFingerprint: await this.#fingerprint(), scoreNormalisation };
      await saveAdapter({ folder, adapter, linearLayers, config, notes, source, writeWeights });
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
    const { source, scoreNormalisation, scoreHeads } = this;
    const { json } = this.#model;
    await saveMerged({ folder, dtype, json, scoreHeads, scoreNormalisation, source, writeWeights });
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

  async score(rows: Iterable<ScoreRow>, options: ScoreOptions = {}): Promise<Float32Array> {
    return rowScores({ rows, options, ...this.#scorer() });
  }

  async scoreAll(rows: Iterable<ScoreRow>, options: ScoreOptions = {}): Promise<AllScores> {
    return scoresOfHeads({ rows, options, ...this.#scorer() });
  }

  #scorer() {
    const bias = this.#scoreNormalisation?.bias;
    return { model: this, bias, tokenizer: () => this.tokenizer() };
  }
}
