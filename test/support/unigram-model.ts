// A model small enough to check by hand: one logit per token, whatever came before. It follows the engine's contract
// in plain TypeScript and notes what it was asked. For the logic of loops only: the real engine has its own tests.

import { readFileSync, writeFileSync } from "node:fs";
import type { PackedBatch } from "../../lib/data/index.js";
import type {
  FrozenModel,
  LossSpec,
  MemoryUse,
  StepResult,
  TrainableModel,
  UnpairedLoss,
  UpdateOptions,
} from "../../lib/engine/contract.js";

const noMemory: MemoryUse = {
  weightsBf16: 0,
  weightsFp32: 0,
  gradients: 0,
  optimizer: 0,
  activations: 0,
  head: 0,
  weightsHost: 0,
  total: 0,
};

interface Completion {
  readonly first: number;
  readonly count: number;
}

class FrozenUnigram implements FrozenModel {
  readonly dtype = "fp32";
  readonly maxPositions: number = 256;
  readonly scoreHeads = 0;
  /** Batches that went through `forward`. */
  readonly forwards: PackedBatch[] = [];
  disposed = false;

  constructor(readonly logits: Float64Array) {}

  get vocabularySize(): number {
    return this.logits.length;
  }
  get parameters(): number {
    return this.logits.length;
  }
  memory(): MemoryUse {
    return noMemory;
  }

  async forward(batch: PackedBatch) {
    this.forwards.push(batch);
    const logprobs = Float32Array.from(this.targetLogprobs(batch));
    const count = logprobs.length;
    return {
      logprobs,
      entropies: new Float32Array(count),
      meanLogits: new Float32Array(count),
      argmax: new Int32Array(count),
    };
  }

  targetLogprobs(batch: PackedBatch): Float64Array {
    const normaliser = Math.log(this.logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return Float64Array.from({ length: batch.targets.length / 2 }, (_, target) => {
      return Math.fround((this.logits[batch.targets[2 * target + 1] ?? 0] ?? 0) - normaliser);
    });
  }

  /** Batches that went through `evaluate`. */
  readonly evaluations: PackedBatch[] = [];

  async evaluate(batch: PackedBatch, loss: LossSpec): Promise<StepResult> {
    this.evaluations.push(batch);
    return this.lossOf(batch, loss).result;
  }

  /** What `step` reports, and the slope of the loss in each completion's summed log-prob. */
  lossOf(batch: PackedBatch, loss: LossSpec): { readonly result: StepResult; readonly slopes: number[] } {
    const logprobs = this.targetLogprobs(batch);
    const sums = pairsOf(batch.completions).map(({ first, count }) => ({
      logprob: logprobs.subarray(first, first + count).reduce((sum, value) => sum + value, 0),
      entropy: 0,
      meanLogit: 0,
      correct: 0,
      count,
    }));
    const slopes = sums.map(() => 0);
    const groupLosses = Float64Array.from(pairsOf(batch.groups), ({ first, count }, group) => {
      const scale = (loss.weights?.[group] ?? 1) / loss.normaliser;
      const own = groupLoss(loss, sums.slice(first, first + count), first);
      for (const [i, slope] of own.slopes.entries()) slopes[first + i] = scale * slope;
      return own.value;
    });
    const total = groupLosses.reduce((sum, value, group) => sum + value * (loss.weights?.[group] ?? 1), 0);
    const result = {
      loss: total / loss.normaliser,
      groupLosses,
      completions: sums,
      scores: new Float64Array(0),
      tieGradient: 0,
      trunkRows: batch.counts.tokensComputed,
      headRows: batch.counts.targets,
    };
    return { result, slopes };
  }

  async startGeneration(): Promise<never> {
    throw new Error("not needed here");
  }
  async scores(): Promise<never> {
    throw new Error("not needed here");
  }
  async states(): Promise<never> {
    throw new Error("not needed here");
  }
  async kl(): Promise<never> {
    throw new Error("not needed here");
  }

  async dispose(): Promise<void> {
    this.disposed = true;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Trains by plain gradient descent. */
export class UnigramModel extends FrozenUnigram implements TrainableModel {
  readonly steps: { readonly batch: PackedBatch; readonly loss: LossSpec }[] = [];
  readonly updates: UpdateOptions[] = [];
  readonly snapshots: FrozenUnigram[] = [];
  readonly saved: string[] = [];
  readonly #gradient: Float64Array;

  /** @param source folder with a tokenizer */
  constructor(
    readonly source: string,
    vocabularySize: number,
  ) {
    super(new Float64Array(vocabularySize));
    this.#gradient = new Float64Array(vocabularySize);
  }

  readonly adapter = undefined;
  readonly scoreNormalisation = undefined;

  async klStep(): Promise<never> {
    throw new Error("not needed here");
  }
  matchUpdate(): never {
    throw new Error("not needed here");
  }
  async scaleScoreHeads(): Promise<never> {
    throw new Error("not needed here");
  }

  get trainableParameters(): number {
    return this.logits.length;
  }

  plan(_options: Parameters<TrainableModel["plan"]>[0]): MemoryUse {
    return noMemory;
  }

  async step(batch: PackedBatch, loss: LossSpec): Promise<StepResult> {
    this.steps.push({ batch, loss });
    const { result, slopes } = this.lossOf(batch, loss);
    for (const [i, completion] of pairsOf(batch.completions).entries())
      this.#add(batch, completion, slopes[i] ?? 0);
    return result;
  }

  /** d(loss)/d(logit) of a completion whose summed log-prob has the given slope. */
  #add(batch: PackedBatch, completion: Completion | undefined, slope: number): void {
    const normaliser = this.logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const { first = 0, count = 0 } = completion ?? {};
    for (let target = first; target < first + count; target++) {
      for (const [token, logit] of this.logits.entries()) {
        const hit = batch.targets[2 * target + 1] === token ? 1 : 0;
        this.#gradient[token] = (this.#gradient[token] ?? 0) + slope * (hit - Math.exp(logit) / normaliser);
      }
    }
  }

  async update(options: UpdateOptions) {
    this.updates.push(options);
    const gradNorm = Math.hypot(...this.#gradient);
    for (const [token, slope] of this.#gradient.entries()) {
      this.logits[token] = (this.logits[token] ?? 0) - options.learningRate * slope;
    }
    this.#gradient.fill(0);
    return { gradNorm, finite: Number.isFinite(gradNorm) };
  }

  async clearGradients(): Promise<void> {
    this.#gradient.fill(0);
  }

  async snapshot(): Promise<FrozenModel> {
    const copy = new FrozenUnigram(this.logits.slice());
    this.snapshots.push(copy);
    return copy;
  }

  async save(folder: string): Promise<void> {
    this.saved.push(folder);
  }
  /** All there is: it has no moments. */
  async saveState(file: string): Promise<void> {
    writeFileSync(file, JSON.stringify([...this.logits]));
  }
  async loadState(file: string): Promise<void> {
    this.logits.set(JSON.parse(readFileSync(file, "utf8")) as number[]);
  }
  tensors() {
    return [{ name: "logits", shape: [this.logits.length] }];
  }
  baseTensors() {
    return [];
  }
  async parameter(): Promise<Float32Array> {
    return Float32Array.from(this.logits);
  }
  async gradient(): Promise<Float32Array> {
    return Float32Array.from(this.#gradient);
  }
}

function pairsOf(flat: Int32Array): Completion[] {
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    first: flat[2 * i] ?? 0,
    count: flat[2 * i + 1] ?? 0,
  }));
}

/** Undivided loss of a group and its slope in each completion's summed log-prob. */
function groupLoss(loss: LossSpec, sums: readonly { readonly logprob: number }[], first: number) {
  if (loss.kind === "nll") return { value: -(sums[0]?.logprob ?? 0), slopes: [-1] };
  if (loss.kind === "unpaired") return answerLoss(loss, sums[0]?.logprob ?? 0, first);
  if (loss.kind !== "pairwise" || loss.terms.some(({ name }) => name !== "sigmoid"))
    throw new Error("not needed here");
  const ratio = (i: number) => (sums[i]?.logprob ?? 0) - (loss.reference?.[first + i] ?? 0);
  const z = loss.beta * (ratio(0) - ratio(1));
  const slope = -loss.beta / (1 + Math.exp(z));
  return { value: Math.log1p(Math.exp(-z)), slopes: [slope, -slope] };
}

/** KTO's loss of one answer: 1 - sigma(z), z = beta (d - z0) where it is good, beta (z0 - d) where it is bad. */
function answerLoss(loss: UnpairedLoss, logprob: number, first: number) {
  const sign = loss.labels[first] === 1 ? 1 : -1;
  const weight = sign === 1 ? loss.desirableWeight : loss.undesirableWeight;
  const z = sign * loss.beta * (logprob - (loss.reference[first] ?? 0) - loss.baseline);
  const share = 1 / (1 + Math.exp(-z));
  return { value: weight * (1 - share), slopes: [-sign * weight * loss.beta * share * (1 - share)] };
}
