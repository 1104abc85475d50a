// Times kernels through the addon: the benchmarks of native/bench on an engine of their own.
// Not exported from the package: only `attune bench` and this project's own benchmarks call it. Must not judge the times.

import type { NativeBenchRow } from "./addon-types.js";
import { loadAddon } from "./load-addon.js";
import { callNative, runJob } from "./native-job.js";
import { threadCount } from "./options.js";

/** What one op took at one shape, call by call. */
export interface KernelTiming extends Omit<NativeBenchRow, "ms"> {
  readonly ms: readonly number[];
}

export interface KernelBenchOptions {
  /** One that `kernelBenches` names. */
  readonly benchmark: string;
  /** Number formats, shapes, groups: what that benchmark takes. Default: its own choice. */
  readonly arguments?: readonly string[];
  /** Each row is timed at least so long. */
  readonly seconds: number;
  /** Default ATTUNE_THREADS, else all the process may use. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
}

export interface KernelBench {
  readonly isa: string;
  readonly threads: number;
  readonly rows: readonly KernelTiming[];
}

/** What can be timed. Throws BackendLoadError. */
export function kernelBenches(): readonly { readonly name: string; readonly what: string }[] {
  return callNative(() => loadAddon().benchmarks());
}

/** Random data, real kernels of ATTUNE_ISA. Throws ATTUNE_OPTION for what no benchmark or argument is. */
export async function benchKernels(options: KernelBenchOptions): Promise<KernelBench> {
  const { benchmark, arguments: words = [], seconds, signal } = options;
  const threads = threadCount(options.threads, process.env.ATTUNE_THREADS);
  const addon = loadAddon();
  const engine = callNative(() => addon.createEngine(threads, process.env.ATTUNE_ISA ?? "", ""));
  try {
    const rows = await runJob({ addon, signal }, (job) =>
      addon.benchmark(engine.handle, job, benchmark, [...words], seconds),
    );
    return {
      isa: engine.isa,
      threads: engine.threads,
      rows: rows.map((row) => ({ ...row, ms: [...row.ms] })),
    };
  } finally {
    await runJob({ addon }, (job) => addon.disposeEngine(engine.handle, job));
  }
}
