// An engine: the device, its threads and the models loaded on it.
// Must not know trainers; files of a model are read by model-config.ts and native code.

import { type AttuneError, fail, reasonOf } from "../errors/index.js";
import type {
  CudaDevice,
  CudaStage,
  EngineHandle,
  IsaInfo,
  ModelHandle,
  NativeAddon,
  RefusedDevice,
  ScoreDraw,
} from "./addon-types.js";
import { readScoreNormalisation } from "./attune-json.js";
import type {
  AdapterOptions,
  AvailableMemory,
  DType,
  JobOptions,
  MemoryUse,
  ScoreHeadOptions,
  ScoreNormalisation,
  WeightPlace,
} from "./contract.js";
import { cudaState } from "./cuda-library.js";
import type { EngineOptions, Logger } from "./engine-options.js";
import { LoadedFrozenModel } from "./frozen-model.js";
import { loadAddon } from "./load-addon.js";
import { availableMemory, requireHostMemory, requireWeightsMemory } from "./memory.js";
import { LoadedModel, type Model, type ModelHost } from "./model.js";
import { readModelConfig } from "./model-config.js";
import type { ModelConfig, ModelDescription } from "./model-description.js";
import { ModelJobs } from "./model-jobs.js";
import { callNative, runJob } from "./native-job.js";
import { type OpenedEngine, openEngine } from "./open-engine.js";
import { expectDType, expectKeys, expectWeightPlace } from "./options.js";
import { isPeftFolder, peftBase } from "./peft-folder.js";
import { expectNoHead, scoreHeadOptions, withScoreHeads } from "./score-head.js";

export interface LoadModelOptions extends JobOptions {
  /** Default "fp32". "bf16": bf16 weights and kept activations, fp32 master weights once it trains. */
  readonly dtype?: DType;
  /** Train an adapter instead of the weights: a new one, or that of a PEFT folder. */
  readonly adapter?: AdapterOptions | string;
  /**
   * Makes a reward model of a language model: score heads in place of the LM head, with an adapter or, without one, on
   * weights that are trained in full. A model that scores already keeps its heads.
   */
  readonly scoreHead?: ScoreHeadOptions;
  /**
   * Default "device". "host": the layers stay in pinned memory of the host and pass through the GPU one by one, which holds two
   * of them beside embeddings, heads and vectors; results are the same bits. Such a model is not trained in full; adapters
   * on it are. Without effect on the CPU.
   */
  readonly weights?: WeightPlace;
  /** Told the fraction of the weights read. */
  readonly onProgress?: (fraction: number) => void;
}

/** What a device backend can do here, and why not more. */
export interface BackendInfo {
  readonly name: "cpu" | "cuda";
  /** How far it went: the library is there, opens, has its entry, fits this engine, shows a device. */
  readonly stage: CudaStage;
  readonly reason: string;
  /** GPUs that are new enough. They are only looked at: whether one works shows when it is opened. */
  readonly devices?: readonly CudaDevice[];
  /** GPUs that cannot be used, and why. */
  readonly refused?: readonly RefusedDevice[];
  /** Of NVIDIA's driver, as it calls itself: "580.65.06". */
  readonly driverVersion?: string;
  /** Instruction sets, best first; emulated ones are for tests. */
  readonly isas?: readonly IsaInfo[];
}

export interface EngineMemory extends MemoryUse {
  /** Work space of the kernels; part of `total`. */
  readonly scratch: number;
  /** Reserved on the GPU, in use or kept for the next use; 0 on the CPU. */
  readonly device: number;
}

export interface Engine {
  readonly device: "cpu" | "cuda";
  /** Instruction set of the CPU's kernels; "cuda" on a GPU. */
  readonly isa: string;
  readonly threads: number;
  /** What this machine can do, as it is when it is asked. */
  readonly backends: readonly BackendInfo[];
  /**
   * Loads a Hugging Face folder, a .safetensors file (config.json beside it) or a .gguf file; a PEFT folder with the
   * model that it names.
   * Throws ATTUNE_FILE, ATTUNE_FORMAT, ATTUNE_MODEL, ATTUNE_NOT_FINITE, ATTUNE_MEMORY, ATTUNE_DEVICE_LOST.
   */
  loadModel(path: string, options?: LoadModelOptions): Promise<Model>;
  /** Bytes held by all models of this engine. */
  memory(): EngineMemory;
  /** Gives back to the GPU what is kept for the next use; on the CPU nothing is kept. */
  releaseMemory(): Promise<void>;
  /** Cancels what runs, disposes the models, ends the threads. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Instruction sets of this build, best first; the emulated ones, for tests, come last. Throws BackendLoadError. */
export function isas(): readonly IsaInfo[] {
  return callNative(() => loadAddon().isas());
}

/** What this machine can do, without making an engine. Throws BackendLoadError. */
export function listBackends(): readonly BackendInfo[] {
  const { path: _, ...cuda } = cudaState();
  return [
    { name: "cpu", stage: "ok", reason: "built in", isas: isas() },
    { name: "cuda", ...cuda },
  ];
}

export interface AddonDescription {
  readonly loaded: boolean;
  /** Why it could not be loaded, and what to do. */
  readonly problem: string | undefined;
  readonly isas: readonly IsaInfo[];
}

/** For `attune doctor`: never throws for an addon that cannot be loaded. */
export function describeAddon(): AddonDescription {
  try {
    return { loaded: true, problem: undefined, isas: isas() };
  } catch (error) {
    return { loaded: false, problem: reasonOf(error), isas: [] };
  }
}

/** Throws ATTUNE_OPTION, ATTUNE_BACKEND, ATTUNE_ADDON_LOAD. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  expectKeys("createEngine", options, ["device", "threads", "isa", "logger"]);
  const opened = openEngine(options);
  options.logger?.debug?.(`engine with ${opened.threads} threads, ${opened.isa}`);
  return new NativeEngine(opened, options.logger);
}

class NativeEngine implements Engine {
  readonly device: "cpu" | "cuda";
  readonly isa: string;
  readonly threads: number;
  readonly #addon: NativeAddon;
  readonly #handle: EngineHandle;
  /** Weak: a model that nobody holds any more is freed by its finalizer, without dispose(). */
  readonly #models = new Set<WeakRef<LoadedFrozenModel>>();
  /** Cancels loading when the engine is disposed. */
  readonly #closing = new AbortController();
  readonly #logger: Logger | undefined;
  #saidHost = false;
  #disposal: Promise<void> | undefined;

  constructor(opened: OpenedEngine, logger: Logger | undefined) {
    this.device = opened.device;
    this.#logger = logger;
    this.#addon = opened.addon;
    this.#handle = opened.handle;
    this.isa = opened.isa;
    this.threads = opened.threads;
  }

  get backends(): readonly BackendInfo[] {
    return listBackends();
  }

  async loadModel(path: string, options: LoadModelOptions = {}): Promise<Model> {
    expectKeys("loadModel", options, ["dtype", "adapter", "scoreHead", "weights", "onProgress", "signal"]);
    const dtype = expectDType(options.dtype ?? "fp32");
    const host = this.#keepsOnHost(expectWeightPlace(options.weights));
    const { scoreHead, onProgress, signal } = options;
    signal?.throwIfAborted();
    this.#expectOpen();
    const isAdapter = await isPeftFolder(path);
    const adapter = isAdapter ? onlyAdapter(path, options.adapter) : options.adapter;
    const head = scoreHead === undefined ? undefined : scoreHeadOptions(scoreHead);
    const source = isAdapter ? await peftBase(path) : path;
    const found = await readModelConfig({ path: source });
    if (head !== undefined) expectNoHead(found.config.scoreHeads);
    const own = adapter === undefined ? head : undefined;
    const model = own === undefined ? found : withScoreHeads(found, own.heads);
    const normalisation = await readScoreNormalisation(source, found.config.scoreHeads);
    const least = leastWeightBytes(model.config, dtype, host);
    requireWeightsMemory(least.device, this.#available());
    requireHostMemory(least.host);
    this.#expectOpen();
    const { weights } = model;
    const handle = await this.#load(model.config, {
      dtype,
      weights,
      host,
      onProgress,
      signal,
      score: own?.draw,
    });
    // Loaded just before the disposal: nobody would dispose it.
    this.#expectOpen();
    const whole = this.#adoptModel(handle, source, model, normalisation);
    if (adapter === undefined) return whole;
    try {
      return await whole.addAdapter(adapter, scoreHead === undefined ? {} : { scoreHead });
    } finally {
      await whole.dispose();
    }
  }

  async #load(
    config: ModelConfig,
    options: {
      dtype: DType;
      weights: string;
      host: boolean;
      onProgress: ((fraction: number) => void) | undefined;
      signal: AbortSignal | undefined;
      score: ScoreDraw | undefined;
    },
  ): Promise<ModelHandle> {
    const { dtype, weights, host, onProgress, signal, score } = options;
    const addon = this.#addon;
    const either =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    return runJob({ addon, signal: either, onProgress }, (job, progress) =>
      addon.loadModel(this.#handle, job, config, dtype, weights, host, progress, score),
    );
  }

  #adoptModel(
    handle: ModelHandle,
    source: string,
    model: ModelDescription,
    scoreNormalisation?: ScoreNormalisation,
  ): Model {
    const host: ModelHost = {
      frozen: (frozen) => this.#adopt(frozen, (jobs) => new LoadedFrozenModel(jobs, source)),
      model: (role) => this.#adoptModel(role, source, model),
    };
    return this.#adopt(handle, (jobs) => new LoadedModel({ jobs, source, model, host, scoreNormalisation }));
  }

  #adopt<Loaded extends LoadedFrozenModel>(handle: ModelHandle, make: (jobs: ModelJobs) => Loaded): Loaded {
    const onDisposed = (): void => void this.#models.delete(reference);
    const available = () => this.#available();
    const onGpu = this.device === "cuda";
    const model = make(new ModelJobs({ addon: this.#addon, handle, available, onGpu, onDisposed }));
    const reference = new WeakRef<LoadedFrozenModel>(model);
    this.#models.add(reference);
    return model;
  }

  /** On the CPU there is nothing to keep elsewhere, which is said once. */
  #keepsOnHost(weights: WeightPlace): boolean {
    if (weights === "device" || this.device === "cuda") return weights === "host";
    if (!this.#saidHost) this.#logger?.info?.('weights "host" has no effect on the CPU.');
    this.#saidHost = true;
    return false;
  }

  /** What the machine or the GPU could still give. */
  #available(): AvailableMemory {
    if (this.device === "cpu") return availableMemory();
    const bytes = callNative(() => this.#addon.availableMemory(this.#handle));
    return { bytes, limit: "free memory of the GPU" };
  }

  /** Models still held by somebody; forgets the others. */
  #living(): LoadedFrozenModel[] {
    return [...this.#models].flatMap((reference) => {
      const model = reference.deref();
      if (model !== undefined) return [model];
      this.#models.delete(reference);
      return [];
    });
  }

  memory(): EngineMemory {
    const { scratch, device } = callNative(() => this.#addon.engineMemory(this.#handle));
    const uses = this.#living().flatMap((model) => ownAndBase(model));
    const seen = new Set<number>();
    const counted = uses.filter(({ base }) => base === undefined || (!seen.has(base) && seen.add(base)));
    const sum = (key: keyof MemoryUse): number => counted.reduce((total, { use }) => total + use[key], 0);
    return {
      weightsBf16: sum("weightsBf16"),
      weightsFp32: sum("weightsFp32"),
      gradients: sum("gradients"),
      optimizer: sum("optimizer"),
      activations: sum("activations"),
      head: sum("head"),
      weightsHost: sum("weightsHost"),
      scratch,
      device,
      total: sum("total") + scratch,
    };
  }

  async releaseMemory(): Promise<void> {
    this.#expectOpen();
    await runJob({ addon: this.#addon }, (job) => this.#addon.releaseMemory(this.#handle, job));
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #dispose(): Promise<void> {
    this.#closing.abort(disposed());
    await Promise.all(this.#living().map((model) => model.dispose()));
    await runJob({ addon: this.#addon }, (job) => this.#addon.disposeEngine(this.#handle, job));
  }

  #expectOpen(): void {
    if (this.#disposal !== undefined) throw disposed();
  }
}

interface CountedUse {
  readonly use: MemoryUse;
  /** A base's use: counted once, however many models work on it. */
  readonly base?: number;
}

const purposes = [
  "weightsBf16",
  "weightsFp32",
  "gradients",
  "optimizer",
  "activations",
  "head",
  "weightsHost",
  "total",
] as const;

function ownAndBase(model: LoadedFrozenModel): CountedUse[] {
  const { base, ...shared } = model.baseMemory();
  const all = model.memory();
  const own = Object.fromEntries(purposes.map((key) => [key, Math.max(0, all[key] - shared[key])]));
  return [{ use: { ...all, ...own } }, { use: shared, base }];
}

/** An adapter's folder says all about its adapter. */
function onlyAdapter(path: string, adapter: AdapterOptions | string | undefined): string {
  if (adapter === undefined) return path;
  const text = `Expected no adapter option with ${path}, which is an adapter itself. Load the model that it was trained on, with { adapter }.`;
  throw fail("ATTUNE_OPTION", text, { details: { path } });
}

function disposed(): AttuneError {
  return fail("ATTUNE_DISPOSED", "The engine was disposed. Create another one.");
}

/** Bytes of the matrices alone: what loading takes at least. The host keeps layers, of which the device holds two. */
function leastWeightBytes(config: ModelConfig, dtype: DType, host: boolean) {
  const { width, headWidth, heads, kvHeads, mlpWidth, vocabulary, layers } = config;
  const size = dtype === "fp32" ? 4 : 2;
  const attention = (2 * heads + 2 * kvHeads) * headWidth * width;
  const mlp = (config.family === "gpt2" ? 2 : 3) * mlpWidth * width;
  const layer = size * (attention + mlp);
  const embeddings = size * vocabulary * width * (config.tied || config.scoreHeads > 0 ? 1 : 2);
  return { device: (host ? 2 : layers) * layer + embeddings, host: host ? layers * layer : 0 };
}
