// Doors to single pieces of the compiled code that trains (losses, head, optimiser, files), for tests of this project.
// Not exported from the package: nothing outside test/ may import it.

import { availableParallelism } from "node:os";
import type {
  EngineHandle,
  JobNumber,
  LossTables,
  NativeAddon,
  NativeBatch,
  NativeChecks,
} from "./addon-types.js";
import { loadAddon } from "./load-addon.js";
import { callNative, runJob } from "./native-job.js";

export type {
  AdamWState,
  HeadStatsCheck,
  HeadWeights,
  LossCheck,
  LossTables,
  NativeBatch,
  NativeChecks,
} from "./addon-types.js";

type Rest<Call> = Call extends (
  engine: EngineHandle,
  job: JobNumber,
  ...rest: infer Arguments
) => infer Result
  ? (...rest: Arguments) => Result
  : never;

/** The native checks without their first two arguments. */
export type Checks = { readonly [Name in keyof NativeChecks]: Rest<NativeChecks[Name]> } & {
  readonly isa: string;
  dispose(): Promise<void>;
};

export interface ChecksOptions {
  /** Empty: the best one. */
  readonly isa?: string;
  /** Path of a library of CUDA kernels, which then compute. */
  readonly cuda?: string;
  readonly threads?: number;
}

/** Runs the checks on one instruction set, or on a CUDA device. */
export function openChecks(options: ChecksOptions = {}): Checks {
  const addon: NativeAddon = loadAddon();
  const { isa = process.env.ATTUNE_ISA ?? "", cuda = "", threads = availableParallelism() } = options;
  const { handle, isa: name } = callNative(() => addon.createEngine(threads, isa, cuda));
  const run = <Result>(work: (job: JobNumber) => Promise<Result>): Promise<Result> => runJob({ addon }, work);
  const { checks } = addon;
  return {
    isa: name,
    logprobLoss: (...rest) => run((job) => checks.logprobLoss(handle, job, ...rest)),
    scoreLoss: (...rest) => run((job) => checks.scoreLoss(handle, job, ...rest)),
    headStats: (...rest) => run((job) => checks.headStats(handle, job, ...rest)),
    headKl: (...rest) => run((job) => checks.headKl(handle, job, ...rest)),
    headGradient: (...rest) => run((job) => checks.headGradient(handle, job, ...rest)),
    klEstimates: (...rest) => run((job) => checks.klEstimates(handle, job, ...rest)),
    adamw: (...rest) => run((job) => checks.adamw(handle, job, ...rest)),
    weightRoundTrip: (...rest) => run((job) => checks.weightRoundTrip(handle, job, ...rest)),
    readTensor: (...rest) => run((job) => checks.readTensor(handle, job, ...rest)),
    dispose: () => run((job) => addon.disposeEngine(handle, job)),
  };
}

/** The losses that native code knows. */
export function lossTables(): LossTables {
  return callNative(() => loadAddon().lossTables());
}

/** See `TrainableModel.matchUpdate`. */
export function matchUpdate(loss: string, logprobs: Float64Array, reference: Float64Array): Float64Array {
  return callNative(() => loadAddon().matchUpdate(loss, logprobs, reference));
}

/** A batch of `sizes[g]` one-target completions in group g, for losses on summed log-probs or scores. */
export function groupedBatch(sizes: readonly number[]): NativeBatch {
  const count = sizes.reduce((sum, size) => sum + size, 0);
  let first = 0;
  const groups = sizes.flatMap((size) => {
    first += size;
    return [first - size, size];
  });
  return {
    tokens: Int32Array.of(0),
    positions: Int32Array.of(0),
    segments: Int32Array.of(0, 1, -1),
    targets: new Int32Array(2 * count),
    completions: Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / 2 : 1)),
    groups: Int32Array.from(groups),
  };
}
