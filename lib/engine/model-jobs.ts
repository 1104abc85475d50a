// The life of one native model: its jobs under way, and its disposal while they run.
// Must not know what the jobs do.

import { fail } from "../errors/index.js";
import type { JobNumber, ModelHandle, NativeAddon, NativeProgress } from "./addon-types.js";
import type { AvailableMemory, ReservedRoom } from "./contract.js";
import { nativeError, type RunJobOptions, runJob } from "./native-job.js";

export interface ModelCall {
  readonly addon: NativeAddon;
  readonly handle: ModelHandle;
  readonly job: JobNumber;
  readonly progress: NativeProgress | undefined;
}

export interface ModelJobsOptions {
  readonly addon: NativeAddon;
  readonly handle: ModelHandle;
  readonly available: () => AvailableMemory;
  readonly onGpu: boolean;
  readonly onDisposed: () => void;
}

/** What lives off a model: generations, with their caches. */
export interface ModelChild {
  /** Must not fail. */
  dispose(): Promise<void>;
}

type ModelWork<Result> = (call: ModelCall) => Promise<Result>;

export class ModelJobs {
  readonly addon: NativeAddon;
  /** Memory that the model's device could still give. */
  readonly available: () => AvailableMemory;
  readonly #onGpu: boolean;
  readonly #handle: ModelHandle;
  readonly #running = new Set<JobNumber>();
  readonly #children = new Set<WeakRef<ModelChild>>();
  readonly #onDisposed: () => void;
  #disposal: Promise<void> | undefined;

  constructor(options: ModelJobsOptions) {
    this.addon = options.addon;
    this.available = options.available;
    this.#onGpu = options.onGpu;
    this.#handle = options.handle;
    this.#onDisposed = options.onDisposed;
  }

  /** Throws ATTUNE_DISPOSED once disposal has begun. */
  get handle(): ModelHandle {
    if (this.#disposal === undefined) return this.#handle;
    throw fail("ATTUNE_DISPOSED", "The model was disposed. Load it again, or dispose it after its last use.");
  }

  async run<Result>(
    options: Pick<RunJobOptions, "signal" | "onProgress">,
    work: ModelWork<Result>,
  ): Promise<Result> {
    const { handle, addon } = this;
    return runJob({ addon, running: this.#running, ...options }, (job, progress) =>
      work({ addon, handle, job, progress }),
    );
  }

  /** The processor's memory costs nothing before it is touched: there is nothing to do for it. */
  async reserve({ bytes, rows, targets, training }: ReservedRoom): Promise<void> {
    if (!this.#onGpu) return;
    await this.run({}, ({ addon, handle, job }) =>
      addon.prepareModel(handle, job, bytes, rows, targets, training),
    );
  }

  /** It is disposed with the model, where it is still there. */
  keep(child: ModelChild): void {
    for (const known of this.#children) if (known.deref() === undefined) this.#children.delete(known);
    this.#children.add(new WeakRef(child));
  }

  /** Rejects new calls, cancels those under way, waits for them, and frees generations and weights. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    for (const job of this.#running) this.addon.cancel(job);
    try {
      for (const child of this.#children) await child.deref()?.dispose();
      await this.addon.disposeModel(this.#handle, this.addon.newJob());
    } catch (error) {
      throw nativeError(error);
    } finally {
      this.#onDisposed();
    }
  }
}
