// Times kernels through the addon: the benchmarks of native/bench on an engine of their own.
// Not exported from the package: only `attune bench` and this project's own benchmarks call it. Must not judge the times.

import type { NativeBenchRow } from "./addon-types.js";
import { loadAddon } from "./load-addon.js";
import { callNative, runJob } from "./native-job.js";
import { openEngine } from "./open-engine.js";

/** What one op took at one shape, call by call. */
export interface KernelTiming extends Omit<NativeBenchRow, "ms"> {
  readonly ms: readonly number[];
}

export interface BenchPlace {
  /** Default "cpu", with the kernels of ATTUNE_ISA. */
  readonly device?: "cpu" | "cuda";
  /** Default ATTUNE_THREADS, else all the process may use. */
  readonly threads?: number | undefined;
}

export interface KernelBenchOptions extends BenchPlace {
  /** One that `kernelBenches` names. */
  readonly benchmark: string;
  /** Number formats, shapes, groups: what that benchmark takes. Default: its own choice. */
  readonly arguments?: readonly string[];
  /** Each row is timed at least so long. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

/** What computes. */
export interface BenchedEngine {
  /** "cuda" on a GPU. */
  readonly isa: string;
  readonly threads: number;
  /** Name of the GPU. */
  readonly gpu?: string;
}

export interface KernelBench extends BenchedEngine {
  readonly rows: readonly KernelTiming[];
}

/** What can be timed. Throws BackendLoadError. */
export function kernelBenches(): readonly { readonly name: string; readonly what: string }[] {
  return callNative(() => loadAddon().benchmarks());
}

function open({ device = "cpu", threads }: BenchPlace) {
  const engine = openEngine({ device, ...(threads === undefined ? {} : { threads }) });
  const { addon, handle, isa, gpu } = engine;
  const facts: BenchedEngine = { isa, threads: engine.threads, ...(gpu === undefined ? {} : { gpu }) };
  return { addon, handle, facts, close: () => runJob({ addon }, (job) => addon.disposeEngine(handle, job)) };
}

/** What would compute there. Throws as `benchKernels`. */
export async function benchedEngine(place: BenchPlace): Promise<BenchedEngine> {
  const { facts, close } = open(place);
  await close();
  return facts;
}

/** Random data, real kernels. Throws ATTUNE_BACKEND where there is no GPU to measure, ATTUNE_OPTION for what no benchmark or argument is. */
export async function benchKernels(options: KernelBenchOptions): Promise<KernelBench> {
  const { benchmark, arguments: words = [], seconds, signal } = options;
  const { addon, handle, facts, close } = open(options);
  try {
    const rows = await runJob({ addon, signal }, (job) =>
      addon.benchmark(handle, job, benchmark, [...words], seconds),
    );
    return { ...facts, rows: rows.map((row) => ({ ...row, ms: [...row.ms] })) };
  } finally {
    await close();
  }
}
