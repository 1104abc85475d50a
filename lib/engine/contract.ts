// What the engine offers to trainers, evaluation and commands: plain data in, plain data out.
// Types only; nothing here loads the addon.

import type { PackedBatch } from "../data/index.js";

export type DType = "fp32" | "bf16";

/** Losses of a step. A loss is a sum divided by `normaliser`, the count over the whole update (all micro-batches). */
export type LossSpec =
  | {
      readonly kind: "nll";
      /** Targets of the whole update. */
      readonly normaliser: number;
      /** One weight per group; 1 when absent. */
      readonly weights?: Float64Array;
    }
  | {
      readonly kind: "dpo";
      /** Pairs of the whole update. */
      readonly normaliser: number;
      readonly beta: number;
      readonly labelSmoothing: number;
      /** Summed log-probs under the reference, one per completion. */
      readonly reference: Float64Array;
      readonly weights?: Float64Array;
      /** P(chosen is better) per pair; 1 when absent. */
      readonly labels?: Float64Array;
    }
  | {
      readonly kind: "bradley-terry";
      readonly normaliser: number;
      readonly centring?: number;
      readonly weights?: Float64Array;
      readonly labels?: Float64Array;
      readonly margins?: Float64Array;
    };

/** Sums over the targets of one completion. */
export interface CompletionSums {
  readonly logprob: number;
  readonly entropy: number;
  readonly meanLogit: number;
  /** Targets that are the most likely token. */
  readonly correct: number;
  readonly count: number;
}

export interface StepResult {
  /** This batch's share of the update's loss; shares add up over micro-batches. */
  readonly loss: number;
  /** One value per group, before division. */
  readonly groupLosses: Float64Array;
  readonly completions: readonly CompletionSums[];
  /** Scores per completion; empty unless the loss is on scores. */
  readonly scores: Float64Array;
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
  readonly total: number;
}

export interface JobOptions {
  readonly signal?: AbortSignal;
}

/** A model that can be evaluated but not trained: what `snapshot()` gives. */
export interface FrozenModel {
  readonly dtype: DType;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly parameters: number;
  memory(): MemoryUse;
  /** Log-probs and statistics of the batch's targets; no gradient. */
  forward(
    batch: PackedBatch,
    options?: JobOptions & {
      readonly temperature?: number;
      readonly hidden?: boolean;
      readonly logits?: boolean;
    },
  ): Promise<ForwardResult>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A loaded model. Commands run in order on the engine's thread; none blocks the JavaScript thread. */
export interface TrainableModel extends FrozenModel {
  /** Where it was loaded from. */
  readonly source: string;
  /** Memory that training with batches of up to `rows` trunk rows and `targets` targets would hold. */
  plan(options: { readonly rows: number; readonly targets: number; readonly training: boolean }): MemoryUse;
  /** Adds the gradient of this batch. A step that fails or is cancelled clears all gathered gradients. */
  step(batch: PackedBatch, loss: LossSpec, options?: JobOptions): Promise<StepResult>;
  /** One optimiser step on the gathered gradients, which are then cleared. */
  update(options: UpdateOptions): Promise<UpdateResult>;
  clearGradients(): Promise<void>;
  /** A frozen copy of the weights in the model's dtype. */
  snapshot(): Promise<FrozenModel>;
  /** Writes a Hugging Face folder (config.json, model.safetensors, tokenizer files copied from the source or built from the GGUF). */
  save(folder: string, options?: { readonly dtype?: DType }): Promise<void>;
  /** Names and shapes as in a Hugging Face folder. */
  tensors(): readonly { readonly name: string; readonly shape: readonly number[] }[];
  parameter(name: string): Promise<Float32Array>;
  gradient(name: string): Promise<Float32Array>;
}
