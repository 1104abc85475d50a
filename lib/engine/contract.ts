// What the engine offers to trainers, evaluation and commands: plain data in, plain data out.
// Types only; nothing here loads the addon.

import type { PackedBatch } from "../data/index.js";
import type { LossSpec } from "./loss-spec.js";

export type DType = "fp32" | "bf16";

/**
 * Where the matrices of a model's layers lie between their uses. "host": in pinned memory of the host; they pass through the
 * GPU layer by layer, each copied while the one before computes. On the CPU there is one place alone.
 */
export type WeightPlace = "device" | "host";

export type * from "./loss-spec.js";

export interface AvailableMemory {
  readonly bytes: number;
  /** What sets the limit, for messages. */
  readonly limit:
    | "free memory of the machine"
    | "memory limit of the control group"
    | "free memory of the GPU";
}

/** Sums over the targets of one completion. */
export interface CompletionSums {
  readonly logprob: number;
  readonly entropy: number;
  readonly meanLogit: number;
  /** Targets that are the most likely token. */
  readonly correct: number;
  readonly count: number;
}

/**
 * What a step tells of a policy loss. Sums over a batch, without weights: add them up over micro-batches and divide by
 * `count`, or by `ratios` where it says so.
 */
export interface PolicySums {
  /** Targets. */
  readonly count: number;
  /** Importance ratios: targets, or completions where those have the ratios. */
  readonly ratios: number;
  /** Over ratios: rho. */
  readonly ratio: number;
  /** Over ratios: rho squared. */
  readonly ratioSquared: number;
  /** Ratios whose clipped term is strictly larger; of CISPO those above the cap. */
  readonly clipped: number;
  /** Ratios (after the cap) below 1 - clipLow with a negative advantage. */
  readonly clippedLow: number;
  /** Ratios (after the cap) above 1 + clipHigh, or of CISPO above the cap, with a positive advantage. */
  readonly clippedHigh: number;
  /** Over targets: (lp - old)^2 / 2, where old is what the ratio is taken to. */
  readonly approxKl: number;
  /** Over targets: old - lp. */
  readonly k1: number;
  /** Over targets: the estimate of the KL to the reference (`klForm`); 0 without referenceLogprobs. */
  readonly kl: number;
  /** Over targets, nats. */
  readonly entropy: number;
}

export interface PolicyStep extends PolicySums {
  /** [targets] log-probs under the policy before the update, at the loss's temperature. */
  readonly logprobs: Float32Array;
}

/** What a step tells of a value loss: sums over a batch. */
export interface ValueSums {
  /** Targets. */
  readonly count: number;
  /** Targets whose clipped square is strictly larger. */
  readonly clipped: number;
}

export interface ValueStep extends ValueSums {
  /** [targets] estimates before the update, bias included. */
  readonly values: Float64Array;
}

export interface StepResult {
  /** This batch's share of the update's loss; shares add up over micro-batches. */
  readonly loss: number;
  /** One value per group, before division. */
  readonly groupLosses: Float64Array;
  readonly completions: readonly CompletionSums[];
  /** [completions x heads] scores; empty unless the loss is one of scores. */
  readonly scores: Float64Array;
  /** Derivative of this batch's share of the loss with respect to `tieParameter`; 0 where there is none. */
  readonly tieGradient: number;
  /** Of policy losses only. */
  readonly policy?: PolicyStep;
  /** Of value losses only. */
  readonly value?: ValueStep;
  /** Rows that went through the layers: each prompt once. */
  readonly trunkRows: number;
  /** Rows that went through the LM head: targets only. */
  readonly headRows: number;
}

export interface ForwardResult {
  /** One value per target of the batch (nats). */
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  readonly meanLogits: Float32Array;
  readonly argmax: Int32Array;
  /** [targets * hidden size] after the final norm, when asked for. */
  readonly hidden?: Float32Array;
  /** [targets * vocabulary], when asked for. */
  readonly logits?: Float32Array;
}

export interface UpdateOptions {
  readonly learningRate: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** On tensors of two or more dimensions. */
  readonly weightDecay?: number;
  /** L2 norm over all gradients above which they are scaled down; 0 switches clipping off. */
  readonly maxGradNorm?: number;
}

export interface UpdateResult {
  /** Before clipping. */
  readonly gradNorm: number;
  /** False: the gradients were not finite, nothing was changed. */
  readonly finite: boolean;
}

/** Bytes by purpose. */
export interface MemoryUse {
  readonly weightsBf16: number;
  readonly weightsFp32: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  readonly head: number;
  /** Layers that the host keeps for a GPU (`weights: "host"`), in pinned memory; not part of `total`. */
  readonly weightsHost: number;
  readonly total: number;
}

export interface JobOptions {
  readonly signal?: AbortSignal;
}

/** A low-rank adapter (LoRA, Hu et al. 2021, arXiv 2106.09685) as it is asked for. */
export interface AdapterOptions {
  /** Default 16. */
  readonly rank?: number;
  /** Default twice the rank. The term is scaled by alpha / rank, or alpha / sqrt(rank) with `rsLora`. */
  readonly alpha?: number;
  /** Rank-stabilised scaling (Kalajdzievski 2023, arXiv 2312.03732). Default false. */
  readonly rsLora?: boolean;
  /** Names of linear layers as in PEFT's `target_modules` ("q_proj", "down_proj", …). Default "all-linear". */
  readonly targets?: "all-linear" | readonly string[];
  /** Draws A; B starts at zero. Default 0. */
  readonly seed?: number;
}

/** A scalar head of its own, trained in full, in place of the LM head: for reward and value models. */
export interface ScoreHeadOptions {
  /** "normal": N(0, 1/(d+1)). Default "normal". */
  readonly init?: "normal" | "zero";
  readonly seed?: number;
  /** Scores of every state, each by a head with values of its own: an ensemble on one trunk. Default 1. */
  readonly heads?: number;
}

/** What attune adds to the scores of a head, kept in attune.json: a score is (w h) + bias. */
export interface ScoreNormalisation {
  /** [heads] b, set after training so that reference completions have mean 0. */
  readonly bias: readonly number[];
  /** [heads] of w h over the reference completions, before anything was set. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Reference completions. */
  readonly count: number;
  /** SHA-256 of their tokens. */
  readonly dataHash: string;
  /** w and b were divided by the standard deviation. */
  readonly unitStd: boolean;
}

/** An adapter as it is. */
export interface AdapterInfo {
  readonly rank: number;
  readonly alpha: number;
  readonly rsLora: boolean;
  /** Names of the adapted linear layers. */
  readonly targets: readonly string[];
  readonly scoreHead: boolean;
}

/** What is sampled, and how; prompts are token ids. Defaults are those of plain sampling at temperature 1. */
export interface SamplingOptions {
  /** Default 128. */
  readonly maxNewTokens?: number;
  /** Divides the logits; 0 = greedy. Default 1. */
  readonly temperature?: number;
  /** Keep the k likeliest tokens; 0 = all. Default 0. */
  readonly topK?: number;
  /** Keep the likeliest tokens up to this mass. Default 1 = all. */
  readonly topP?: number;
  /** Keep tokens of at least this share of the likeliest one's probability. Default 0 = all. */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of tokens seen before (Keskar et al. 2019). Default 1 = off. */
  readonly repetitionPenalty?: number;
  /** Ids that end a sequence (kept as its last token). Default: the model's EOS ids; [] = none. */
  readonly stopTokens?: readonly number[];
  /** Samples of each prompt; they share its keys and values. Default 1. */
  readonly samples?: number;
  /** 64 bits. Draw of token t of sequence i (prompt * samples + sample): Philox(seed; stream sample, step, i, t). Default 0. */
  readonly seed?: number | bigint;
  /** The second coordinate of every draw, for callers that sample again and again. Default 0. */
  readonly step?: number;
  /** Sequences decoded at once; others wait and take the places that become free. Default 32. */
  readonly batchSize?: number;
  /** Ids below it are drawn. Default: those the tokenizer has; without one, all of the model's. */
  readonly vocabulary?: number;
}

/** One decode step: a token for each sequence that was alive. All arrays have the same length. */
export interface DecodedTokens {
  /** Global number of the sequence: prompt * samples + sample. */
  readonly sequences: Int32Array;
  readonly tokens: Int32Array;
  /** Of the distribution sampled from (nats); with no filter and no penalty it is `modelLogprobs`, bit for bit. */
  readonly logprobs: Float32Array;
  /** Under the model at `temperature` (1 when greedy), before filters and penalties: the trainer's bits. */
  readonly modelLogprobs: Float32Array;
  /** 0 = goes on, 1 = stop token, 2 = maxNewTokens, 3 = the model's positions are used up. */
  readonly finished: Uint8Array;
}

/** Counters of a generation so far: proof that no sample is computed twice. */
export interface GenerationCounts {
  /** Rows that went through the layers: each prompt once, each new token but the last once. */
  readonly trunkRows: number;
  /** Passes over the weights: one per prefill batch, one per decode step. */
  readonly weightPasses: number;
}

/** Sequences being sampled, step by step. Weights that were updated meanwhile are noticed: caches are made again. */
export interface Generation {
  /** Admits waiting sequences and decodes one token of every living one; undefined when all have finished. */
  next(options?: JobOptions): Promise<DecodedTokens | undefined>;
  /** Ends a sequence early (a stop string was seen); its memory goes to the next one. */
  finish(sequence: number): void;
  readonly counts: GenerationCounts;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ReservedRoom {
  readonly bytes: number;
  /** Trunk rows and targets of the largest batch. */
  readonly rows: number;
  readonly targets: number;
  /** The batches are for `step`: gradients and optimiser state too. */
  readonly training: boolean;
}

/** A model that can be evaluated but not trained: what `snapshot()` gives. */
export interface FrozenModel {
  readonly dtype: DType;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly parameters: number;
  /** Scores that the head gives each state; 0: the model predicts tokens. */
  readonly scoreHeads: number;
  memory(): MemoryUse;
  /** What the machine, or the GPU that the model is on, could still give; absent: that of the machine. */
  availableMemory?(): AvailableMemory;
  /**
   * Takes memory of the GPU now, so that what is missing shows before the first batch and not in the middle; on the CPU
   * it does nothing. `bytes`: all that will be needed beyond what is held. Throws ATTUNE_MEMORY.
   */
  reserve?(room: ReservedRoom): Promise<void>;
  /** The loss and sums that `step` would report; no gradient. */
  evaluate(batch: PackedBatch, loss: LossSpec, options?: JobOptions): Promise<StepResult>;
  /** Starts sampling after prompts given as ids, [prompts][tokens]. Text and streaming: `Model.generate`. */
  startGeneration(prompts: readonly Int32Array[], options?: SamplingOptions): Promise<Generation>;
  /** Log-probs and statistics of the batch's targets; no gradient. */
  forward(
    batch: PackedBatch,
    options?: JobOptions & {
      readonly temperature?: number;
      readonly hidden?: boolean;
      readonly logits?: boolean;
    },
  ): Promise<ForwardResult>;
  /** [targets x heads] scores w h of the batch's targets, without bias. Throws ATTUNE_MODEL where there is no score head. */
  scores(batch: PackedBatch, options?: JobOptions): Promise<Float32Array>;
  /** [targets x hidden size] states of the batch's targets after the final norm, whatever the head. */
  states(batch: PackedBatch, options?: JobOptions): Promise<Float32Array>;
  /**
   * Exact KL divergences over the whole vocabulary at the batch's targets (nats), this model p against a reference q of the
   * same vocabulary on the same engine. No [targets, vocabulary] is held.
   */
  kl(batch: PackedBatch, reference: FrozenModel, options?: JobOptions): Promise<KlResult>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One value per target. */
export interface KlResult {
  /** KL(p || q) */
  readonly kl: Float32Array;
  /** KL(q || p) */
  readonly reverseKl: Float32Array;
}

/** A penalty on the exact KL of every target: sum(weight * KL) / normaliser. */
export interface KlPenalty {
  readonly reference: FrozenModel;
  /** Targets of the whole update. */
  readonly normaliser: number;
  /** "kl": KL(p || q); "reverse": KL(q || p). */
  readonly direction: "kl" | "reverse";
  /** [groups] 1 when absent. */
  readonly weights?: Float64Array;
}

/** A loaded model. Commands run in order on the engine's thread; none blocks the JavaScript thread. */
export interface TrainableModel extends FrozenModel {
  /** Where it was loaded from. */
  readonly source: string;
  /** The adapter that training changes; undefined: all weights are trained. */
  readonly adapter: AdapterInfo | undefined;
  /** Numbers that training changes. */
  readonly trainableParameters: number;
  /**
   * Memory that training with batches of up to `rows` trunk rows and `targets` targets would hold. `weights`: of a copy whose
   * layers are kept there; default: where they are.
   */
  plan(options: {
    readonly rows: number;
    readonly targets: number;
    readonly training: boolean;
    readonly weights?: WeightPlace;
  }): MemoryUse;
  /** Adds the gradient of this batch. A step that fails or is cancelled clears all gathered gradients. */
  step(batch: PackedBatch, loss: LossSpec, options?: JobOptions): Promise<StepResult>;
  /** Adds the gradient of a KL penalty over the whole vocabulary; group losses are sums over the group's targets. */
  klStep(batch: PackedBatch, penalty: KlPenalty, options?: JobOptions): Promise<StepResult>;
  /**
   * What the losses that sort over a whole update (aot, aot_unpaired) compare each side with. logprobs and reference: summed
   * log-probs [chosen, rejected] of every pair of the update; returns as many values, for `PairwiseLoss.matches`.
   */
  matchUpdate(loss: "aot" | "aot_unpaired", logprobs: Float64Array, reference: Float64Array): Float64Array;
  /** Multiplies the weights of every score head by its factor. Throws ATTUNE_MODEL where there is none. */
  scaleScoreHeads(factors: readonly number[]): Promise<void>;
  /** What is added to scores; undefined: nothing. `save` keeps it in attune.json, loading reads it. */
  scoreNormalisation: ScoreNormalisation | undefined;
  /** One optimiser step on the gathered gradients, which are then cleared. Where there are none nothing changes. */
  update(options: UpdateOptions): Promise<UpdateResult>;
  clearGradients(): Promise<void>;
  /**
   * The model as it is now, frozen. Of a whole model a copy of its weights in its dtype; of an adapter a copy of the
   * adapter alone on the same base, and of a fresh one (B = 0) just the base. `weights` (default "device"): where the copy of a
   * whole model is kept; one whose layers the host keeps cannot change, and is not copied.
   */
  snapshot(options?: { readonly weights?: WeightPlace }): Promise<FrozenModel>;
  /**
   * Writes a Hugging Face folder (config.json, model.safetensors, tokenizer files copied from the source or built from the
   * GGUF); of an adapter a PEFT folder (adapter_config.json, adapter_model.safetensors, tokenizer files).
   */
  save(folder: string, options?: { readonly dtype?: DType }): Promise<void>;
  /**
   * Writes all that training changed to one safetensors file: trained values in fp32 (masters in bf16), Adam's moments,
   * the number of updates. A model that never trained has its values alone. Atomic.
   */
  saveState(file: string, options?: JobOptions): Promise<void>;
  /**
   * Puts the state of `saveState` back, bit for bit, into a model of the same shape loaded from the same start.
   * Throws ATTUNE_RESUME naming what does not fit; the model is then unchanged or, if the file breaks off, unusable.
   */
  loadState(file: string, options?: JobOptions): Promise<void>;
  /** Names and shapes of what is trained, as in a Hugging Face folder or, of an adapter, in PEFT's file. */
  tensors(): readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** The same of the base under an adapter, which it does not train; `parameter` reads these too. Otherwise empty. */
  baseTensors(): readonly { readonly name: string; readonly shape: readonly number[] }[];
  parameter(name: string): Promise<Float32Array>;
  gradient(name: string): Promise<Float32Array>;
}
