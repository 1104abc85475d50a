// The native addon's surface, typed. native/binding/ implements it; nothing outside lib/engine may see it.
// Types only; nothing here loads the addon.

import type { PackedBatch } from "../data/index.js";
import type {
  DecodedTokens,
  DType,
  ForwardResult,
  GenerationCounts,
  KlPenalty,
  KlResult,
  LossSpec,
  MemoryUse,
  PolicyStep,
  PolicySums,
  UpdateOptions,
  UpdateResult,
  ValueStep,
  ValueSums,
} from "./contract.js";
import type { ModelConfig } from "./model-description.js";

declare const engineTag: unique symbol;
declare const modelTag: unique symbol;
declare const generationTag: unique symbol;
/** A tagged external: passing anything else to the addon is an error, not a crash. */
export interface EngineHandle {
  readonly [engineTag]: true;
}
export interface ModelHandle {
  readonly [modelTag]: true;
}
export interface GenerationHandle {
  readonly [generationTag]: true;
}

/** Made by `newJob()`, one per asynchronous call; names the call for `cancel()`. */
export type JobNumber = number;

export interface IsaInfo {
  readonly name: string;
  /** Compiled into the addon. */
  readonly built: boolean;
  /** Not emulated. */
  readonly native: boolean;
  /** The processor and the operating system support it. */
  readonly runnable: boolean;
}

/** How far opening the library of CUDA kernels went. */
export type CudaStage = "missing" | "dlopen" | "symbol" | "abi" | "probe" | "ok";

export interface CudaDevice {
  /** `device: "cuda:<index>"` takes it. */
  readonly index: number;
  readonly name: string;
  /** Compute capability: "9.0". */
  readonly capability: string;
  /** Newest CUDA that the driver knows: "13.0". */
  readonly driver: string;
  readonly multiprocessors: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes that no process uses, when it was asked; undefined where the driver does not say. */
  readonly free?: number;
}

export interface CudaFound {
  readonly stage: CudaStage;
  readonly reason: string;
  readonly devices: readonly CudaDevice[];
  /** GPUs that cannot be used, and why. */
  readonly refused: readonly RefusedDevice[];
  /** As the driver calls itself, "580.65.06"; undefined where there is none or it does not say. */
  readonly driverVersion?: string;
}

export interface RefusedDevice {
  readonly index: number;
  readonly reason: string;
}

export interface NativeStepResult {
  readonly loss: number;
  readonly groupLosses: Float64Array;
  /** [5 per completion] logprob, entropy, meanLogit, correct, count. */
  readonly completions: Float64Array;
  /** [completions x heads] */
  readonly scores: Float64Array;
  readonly tieGradient: number;
  readonly policy?: PolicyStep;
  readonly value?: ValueStep;
  readonly trunkRows: number;
  readonly headRows: number;
}

/** A role on a base as native code makes it. */
export interface NativeRole {
  readonly rank: number;
  readonly alpha: number;
  readonly rsLora: boolean;
  /** Full names of linear layers. */
  readonly modules: readonly string[];
  readonly seed: number;
  /** adapter_model.safetensors to read; empty = a fresh adapter. */
  readonly file: string;
  /** Heads of its own; 0: none. Of a file it has as many as that holds. */
  readonly scoreHeads: number;
  /** How heads start that are not read: drawn, or as those of the model it is added to. */
  readonly score?: ScoreDraw | "copy";
}

/** How score heads start: N(0, 1/(width+1)) or zero. */
export interface ScoreDraw {
  readonly normal: boolean;
  readonly seed: number;
}

export interface NativeDescription {
  readonly dtype: DType;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  /** Hidden size. */
  readonly width: number;
  /** Scores of every state; 0: it predicts tokens. */
  readonly scoreHeads: number;
  readonly parameters: number;
  /** Numbers that training changes. */
  readonly trainable: number;
  /** Full names of the layers that an adapter may change. */
  readonly linearLayers: readonly string[];
  readonly adapter?: Pick<NativeRole, "rank" | "alpha" | "rsLora" | "modules" | "scoreHeads">;
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Of the base under an adapter; empty of other models. */
  readonly baseTensors: NativeDescription["tensors"];
}

/** All of them given; `SamplingOptions` says what they mean. */
export interface NativeSampling {
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly stopTokens: Int32Array;
  readonly samples: number;
  readonly seed: bigint;
  readonly step: number;
  readonly batchSize: number;
  readonly vocabulary: number;
}

/** What one op took at one shape. */
export interface NativeBenchRow {
  readonly op: string;
  readonly shape: string;
  readonly dtype: DType;
  /** The instruction set that computed. */
  readonly isa: string;
  /** Of each call, in order. */
  readonly ms: Float64Array;
  /** Operations of one call; 0: not counted. */
  readonly flop: number;
  /** What one call must read and write at least; 0: not counted. */
  readonly bytes: number;
  /** Held beside the operands; 0: not counted. */
  readonly extraBytes: number;
}

export type NativeBatch = Pick<
  PackedBatch,
  "tokens" | "positions" | "segments" | "targets" | "completions" | "groups"
>;

/** Called on the JavaScript thread with a fraction in [0, 1]; must never throw. */
export type NativeProgress = (fraction: number) => void;

/**
 * Functions that take a job run on the engine's command thread, in order; the others return at once. Every error has
 * `code` "ATTUNE_…". Typed arrays are copied when a function is called.
 */
export interface NativeAddon {
  isas(): IsaInfo[];
  /** Opens the library, once for the process. */
  cuda(path: string): CudaFound;
  /** `isa` empty = the best one; `cuda`: path of the library to compute on its device `index`, empty = on the CPU. */
  createEngine(
    threads: number,
    isa: string,
    cuda: string,
    index?: number,
  ): { handle: EngineHandle; isa: string; threads: number };
  /** Bytes: of scratch memory after the last job; reserved on the GPU. */
  engineMemory(engine: EngineHandle): { scratch: number; device: number };
  /** Bytes that the GPU could still give. Of an engine on one. */
  availableMemory(engine: EngineHandle): number;
  /** What no tensor uses goes back to the GPU. */
  releaseMemory(engine: EngineHandle, job: JobNumber): Promise<void>;
  /** Cancels what runs; resolves when the command thread has ended. Models must be disposed before. */
  disposeEngine(engine: EngineHandle, job: JobNumber): Promise<void>;
  lossTables(): LossTables;
  /** See `TrainableModel.matchUpdate`. */
  matchUpdate(loss: string, logprobs: Float64Array, reference: Float64Array): Float64Array;
  newJob(): JobNumber;
  /** A number that has settled is ignored. */
  cancel(job: JobNumber): void;

  loadModel(
    engine: EngineHandle,
    job: JobNumber,
    config: ModelConfig,
    dtype: DType,
    path: string,
    /** The host keeps the layers for a device; without effect on the CPU. */
    host: boolean,
    progress?: NativeProgress,
    /** The heads of `config.scoreHeads` are not read but start so. */
    score?: ScoreDraw,
  ): Promise<ModelHandle>;
  /** Another model on the same base; all of them work one after the other in the same memory. */
  addRole(model: ModelHandle, job: JobNumber, role: NativeRole): Promise<ModelHandle>;
  describe(model: ModelHandle): NativeDescription;
  memoryOf(model: ModelHandle): MemoryUse;
  /** What models on the same base hold together; `base` tells bases apart. */
  baseMemoryOf(model: ModelHandle): MemoryUse & { readonly base: number };
  plan(model: ModelHandle, rows: number, targets: number, training: boolean, host?: boolean): MemoryUse;
  /** On a GPU takes so much more memory at once, and what such a plan needs out of it; on the CPU nothing. */
  prepareModel(
    model: ModelHandle,
    job: JobNumber,
    bytes: number,
    rows: number,
    targets: number,
    training: boolean,
  ): Promise<void>;
  forward(
    model: ModelHandle,
    job: JobNumber,
    batch: NativeBatch,
    temperature: number,
    hidden: boolean,
    logits: boolean,
  ): Promise<ForwardResult>;
  /** [targets x heads] */
  score(model: ModelHandle, job: JobNumber, batch: NativeBatch): Promise<Float32Array>;
  /** [targets x width] after the final norm. */
  states(model: ModelHandle, job: JobNumber, batch: NativeBatch): Promise<Float32Array>;
  scaleScoreHeads(model: ModelHandle, job: JobNumber, factors: Float64Array): Promise<void>;
  /** A step that fails or is cancelled clears all gathered gradients. */
  step(model: ModelHandle, job: JobNumber, batch: NativeBatch, loss: LossSpec): Promise<NativeStepResult>;
  /** What `step` would report; no gradient. */
  evaluate(model: ModelHandle, job: JobNumber, batch: NativeBatch, loss: LossSpec): Promise<NativeStepResult>;
  /** Exact divergences at the batch's targets; `reference` is a model of the same engine. */
  kl(model: ModelHandle, reference: ModelHandle, job: JobNumber, batch: NativeBatch): Promise<KlResult>;
  /** A step that fails or is cancelled clears all gathered gradients. */
  klStep(
    model: ModelHandle,
    reference: ModelHandle,
    job: JobNumber,
    batch: NativeBatch,
    penalty: Omit<KlPenalty, "reference">,
  ): Promise<NativeStepResult>;
  /** Bytes that divergences hold beside the plans of both models. */
  planKl(model: ModelHandle, reference: ModelHandle, targets: number): number;
  update(model: ModelHandle, job: JobNumber, options: UpdateOptions): Promise<UpdateResult>;
  clearGradients(model: ModelHandle, job: JobNumber): Promise<void>;
  snapshot(model: ModelHandle, job: JobNumber, host: boolean): Promise<ModelHandle>;
  save(
    model: ModelHandle,
    job: JobNumber,
    folder: string,
    dtype: DType,
    progress?: NativeProgress,
  ): Promise<void>;
  /** The base with the adapter added to its weights. */
  saveMerged(
    model: ModelHandle,
    job: JobNumber,
    folder: string,
    dtype: DType,
    progress?: NativeProgress,
  ): Promise<void>;
  saveState(model: ModelHandle, job: JobNumber, file: string): Promise<void>;
  loadState(model: ModelHandle, job: JobNumber, file: string): Promise<void>;
  parameter(model: ModelHandle, job: JobNumber, name: string): Promise<Float32Array>;
  gradient(model: ModelHandle, job: JobNumber, name: string): Promise<Float32Array>;
  /** 16 hexadecimal digits that tell apart bases of equal shapes. */
  baseFingerprint(model: ModelHandle, job: JobNumber): Promise<string>;
  /** Frees the weights on the command thread, after the jobs before it. */
  disposeModel(model: ModelHandle, job: JobNumber): Promise<void>;

  /** `tokens` holds all prompts one behind the other. */
  startGeneration(
    model: ModelHandle,
    tokens: Int32Array,
    lengths: Int32Array,
    options: NativeSampling,
  ): GenerationHandle;
  /** Bytes that the keys and values of such a generation take at most. */
  planGeneration(model: ModelHandle, lengths: Int32Array, options: NativeSampling): number;
  /** One decode step; undefined when all sequences have finished. After ATTUNE_ABORTED it can be called again. */
  nextTokens(generation: GenerationHandle, job: JobNumber): Promise<DecodedTokens | undefined>;
  /** The sequence draws no further token. */
  finishSequence(generation: GenerationHandle, sequence: number): void;
  generationCounts(generation: GenerationHandle): GenerationCounts;
  disposeGeneration(generation: GenerationHandle, job: JobNumber): Promise<void>;

  /** What `benchmark` can time, the peaks first. */
  benchmarks(): { readonly name: string; readonly what: string }[];
  /** Times kernels on random data for at least `seconds` a row. */
  benchmark(
    engine: EngineHandle,
    job: JobNumber,
    name: string,
    words: readonly string[],
    seconds: number,
  ): Promise<NativeBenchRow[]>;

  readonly checks: NativeChecks;
}

export interface LossCheck {
  /** One per group, before weights and division. */
  readonly groupLosses: Float64Array;
  /** Of the divided loss; one per target, or per target and head for losses of scores and values. */
  readonly gradient: Float64Array;
  /** Of the divided loss, by each target's entropy; empty where it has no term of that. */
  readonly entropyGradient: Float32Array;
  readonly policy?: PolicySums;
  readonly value?: ValueSums;
  /** Of the divided loss by its tie parameter, where it has one. */
  readonly tieGradient: number;
}

interface LossEntry {
  /** One line. */
  readonly description: string;
}

/** The losses that native code knows: what each is called and what it needs. */
export interface LossTables {
  readonly pairwise: readonly (LossEntry & {
    readonly name: string;
    readonly reference: boolean;
    readonly softLabels: boolean;
    /** "ignored": allowed beside a loss that takes it; "own" is part of the formula, "needed" must be above 0. */
    readonly smoothing: "refused" | "ignored" | "label" | "own" | "needed";
    readonly divergence: boolean;
    /** The chosen side's likelihood as a part of the loss. */
    readonly nll: "none" | "always" | "by-weight";
    /** Of "by-weight": where none is given. */
    readonly nllWeight: number;
    readonly matches: boolean;
    /** Takes weights of pairs. */
    readonly weights: boolean;
  })[];
  readonly divergences: readonly (LossEntry & { readonly name: string })[];
  /** The first entry of a form is its default. */
  readonly listwise: readonly (LossEntry & {
    readonly form: string;
    readonly ties: string;
    readonly places: boolean;
    /** Items of equal rank that it takes; 0: any number. */
    readonly largestTie: number;
  })[];
  readonly unpaired: readonly (LossEntry & { readonly name: string })[];
  readonly policy: readonly (LossEntry & {
    readonly form: string;
    /** Has a range that the ratio is clipped to. */
    readonly clips: boolean;
    readonly needsCap: boolean;
  })[];
  readonly policyRatios: readonly (LossEntry & { readonly name: string })[];
  readonly klPenalties: readonly (LossEntry & { readonly name: string })[];
  readonly scores: readonly (LossEntry & {
    readonly form: string;
    readonly groups: "pairs" | "lists" | "single";
    readonly tieParameter: boolean;
  })[];
}

export interface HeadStatsCheck {
  readonly logprobs: Float32Array;
  readonly logsumexps: Float32Array;
  readonly entropies: Float32Array;
  readonly meanLogits: Float32Array;
  readonly argmax: Int32Array;
}

/** Weights of the head's gradient, one number per row; an empty array leaves that term out. */
export interface HeadWeights {
  readonly logprob: Float32Array;
  readonly entropy: Float32Array;
  readonly kl: Float32Array;
  readonly reverseKl: Float32Array;
}

export interface AdamWState {
  readonly parameter: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** Single pieces of the compiled code that trains; for tests. Logits are [rows, vocabulary]. */
export interface NativeChecks {
  logprobLoss(
    engine: EngineHandle,
    job: JobNumber,
    loss: LossSpec,
    batch: NativeBatch,
    logprobs: Float32Array,
    /** [targets]; 0 when absent. */
    entropies?: Float32Array,
  ): Promise<LossCheck>;
  scoreLoss(
    engine: EngineHandle,
    job: JobNumber,
    loss: LossSpec,
    batch: NativeBatch,
    /** [targets x heads] */
    scores: Float64Array,
    heads: number,
  ): Promise<LossCheck>;
  headStats(
    engine: EngineHandle,
    job: JobNumber,
    logits: Float32Array,
    targets: Int32Array,
    temperature: number,
  ): Promise<HeadStatsCheck>;
  headKl(
    engine: EngineHandle,
    job: JobNumber,
    logits: Float32Array,
    referenceLogits: Float32Array,
    rows: number,
    temperature: number,
  ): Promise<{ kl: Float32Array; reverseKl: Float32Array }>;
  headGradient(
    engine: EngineHandle,
    job: JobNumber,
    logits: Float32Array,
    referenceLogits: Float32Array,
    targets: Int32Array,
    weights: HeadWeights,
    temperature: number,
  ): Promise<Float32Array>;
  /** Estimators of KL(policy || reference) of sampled tokens, and k3's derivative by the policy's log-prob. */
  klEstimates(
    engine: EngineHandle,
    job: JobNumber,
    logprobs: Float32Array,
    referenceLogprobs: Float32Array,
  ): Promise<{ k1: Float64Array; k2: Float64Array; k3: Float64Array; dK3: Float64Array }>;
  adamw(
    engine: EngineHandle,
    job: JobNumber,
    state: AdamWState,
    gradient: Float32Array,
    options: UpdateOptions,
    t: number,
  ): Promise<AdamWState & { gradNorm: number }>;
  weightRoundTrip(
    engine: EngineHandle,
    job: JobNumber,
    values: Float32Array,
    rows: number,
    columns: number,
    dtype: DType,
  ): Promise<Float32Array>;
  readTensor(
    engine: EngineHandle,
    job: JobNumber,
    path: string,
    name: string,
  ): Promise<{ shape: number[]; values: Float32Array }>;
}
