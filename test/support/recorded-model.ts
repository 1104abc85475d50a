// A loaded model that also keeps what a trainer asked of it: batches, native counters, gradients of the first update.
// Must not change anything that passes through.

import type { PackedBatch } from "../../lib/data/index.js";
import type {
  FrozenModel,
  JobOptions,
  LossSpec,
  StepResult,
  TrainableModel,
  UpdateOptions,
  UpdateResult,
} from "../../lib/engine/contract.js";

export interface RecordedStep {
  readonly batch: PackedBatch;
  readonly loss: LossSpec;
  readonly result: StepResult;
}

export interface RecordedUpdate {
  /** The micro-batches whose gradients were gathered. */
  readonly steps: readonly RecordedStep[];
  readonly options: UpdateOptions;
  readonly result: UpdateResult;
}

export class RecordedModel implements TrainableModel {
  readonly updates: RecordedUpdate[] = [];
  /** Batches that went through `forward`. */
  readonly forwards: PackedBatch[] = [];
  /** By the parameters' names, before the first update. */
  readonly firstGradients = new Map<string, Float32Array>();
  readonly #inner: TrainableModel;
  #steps: RecordedStep[] = [];

  constructor(inner: TrainableModel) {
    this.#inner = inner;
  }

  get dtype() {
    return this.#inner.dtype;
  }

  get vocabularySize() {
    return this.#inner.vocabularySize;
  }

  get maxPositions() {
    return this.#inner.maxPositions;
  }

  get scoreHeads() {
    return this.#inner.scoreHeads;
  }

  get scoreNormalisation() {
    return this.#inner.scoreNormalisation;
  }

  set scoreNormalisation(value) {
    this.#inner.scoreNormalisation = value;
  }

  get parameters() {
    return this.#inner.parameters;
  }

  get adapter() {
    return this.#inner.adapter;
  }

  get trainableParameters() {
    return this.#inner.trainableParameters;
  }

  get source() {
    return this.#inner.source;
  }

  async step(batch: PackedBatch, loss: LossSpec, options?: JobOptions): Promise<StepResult> {
    const result = await this.#inner.step(batch, loss, options);
    this.#steps.push({ batch, loss, result });
    return result;
  }

  async update(options: UpdateOptions): Promise<UpdateResult> {
    if (this.updates.length === 0) {
      for (const { name } of this.tensors()) this.firstGradients.set(name, await this.#inner.gradient(name));
    }
    const result = await this.#inner.update(options);
    this.updates.push({ steps: this.#steps, options, result });
    this.#steps = [];
    return result;
  }

  memory() {
    return this.#inner.memory();
  }

  plan(...rest: Parameters<TrainableModel["plan"]>) {
    return this.#inner.plan(...rest);
  }

  forward(...rest: Parameters<FrozenModel["forward"]>) {
    this.forwards.push(rest[0]);
    return this.#inner.forward(...rest);
  }

  scores(...rest: Parameters<FrozenModel["scores"]>) {
    return this.#inner.scores(...rest);
  }

  states(...rest: Parameters<FrozenModel["states"]>) {
    return this.#inner.states(...rest);
  }

  kl(...rest: Parameters<FrozenModel["kl"]>) {
    return this.#inner.kl(...rest);
  }

  klStep(...rest: Parameters<TrainableModel["klStep"]>) {
    return this.#inner.klStep(...rest);
  }

  matchUpdate(...rest: Parameters<TrainableModel["matchUpdate"]>) {
    return this.#inner.matchUpdate(...rest);
  }

  scaleScoreHeads(...rest: Parameters<TrainableModel["scaleScoreHeads"]>) {
    return this.#inner.scaleScoreHeads(...rest);
  }

  evaluate(...rest: Parameters<FrozenModel["evaluate"]>) {
    return this.#inner.evaluate(...rest);
  }

  startGeneration(...rest: Parameters<FrozenModel["startGeneration"]>) {
    return this.#inner.startGeneration(...rest);
  }

  saveState(...rest: Parameters<TrainableModel["saveState"]>) {
    return this.#inner.saveState(...rest);
  }

  loadState(...rest: Parameters<TrainableModel["loadState"]>) {
    return this.#inner.loadState(...rest);
  }

  clearGradients() {
    return this.#inner.clearGradients();
  }

  snapshot(...rest: Parameters<TrainableModel["snapshot"]>) {
    return this.#inner.snapshot(...rest);
  }

  save(...rest: Parameters<TrainableModel["save"]>) {
    return this.#inner.save(...rest);
  }

  tensors() {
    return this.#inner.tensors();
  }

  baseTensors() {
    return this.#inner.baseTensors();
  }

  parameter(name: string) {
    return this.#inner.parameter(name);
  }

  gradient(name: string) {
    return this.#inner.gradient(name);
  }

  dispose() {
    return this.#inner.dispose();
  }

  [Symbol.asyncDispose]() {
    return this.dispose();
  }
}
