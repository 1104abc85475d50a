// Runs one call of the addon: names the job, links an AbortSignal to it, and turns native errors into AttuneErrors.
// Must not know what the job does.

import { AttuneError, fail, isErrorCode, reasonOf } from "../errors/index.js";
import type { JobNumber, NativeAddon, NativeProgress } from "./addon-types.js";

export interface RunJobOptions {
  readonly addon: NativeAddon;
  readonly signal?: AbortSignal | undefined;
  /** Told fractions of the work; what it throws cancels the job and is thrown once that has ended. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Jobs under way of one owner, which cancels them when it is disposed. */
  readonly running?: Set<JobNumber>;
}

/** Starts `work` under a new job number. Rejects with `signal.reason` when the signal cancelled it. */
export async function runJob<Result>(
  options: RunJobOptions,
  work: (job: JobNumber, progress: NativeProgress | undefined) => Promise<Result>,
): Promise<Result> {
  const { addon, signal, onProgress, running } = options;
  signal?.throwIfAborted();
  const job = addon.newJob();
  const abort = (): void => addon.cancel(job);
  const guard = onProgress === undefined ? undefined : guardProgress(onProgress, abort);
  signal?.addEventListener("abort", abort, { once: true });
  running?.add(job);
  try {
    const result = await work(job, guard?.progress);
    guard?.rethrow();
    return result;
  } catch (error) {
    guard?.rethrow();
    const named = nativeError(error);
    if (signal?.aborted && named.code === "ATTUNE_ABORTED") throw signal.reason;
    throw named;
  } finally {
    running?.delete(job);
    signal?.removeEventListener("abort", abort);
  }
}

interface ProgressGuard {
  /** Never throws: native code must not meet an exception of a user. */
  readonly progress: NativeProgress;
  /** Throws what the user's callback threw, if it did. */
  rethrow(): void;
}

function guardProgress(onProgress: (fraction: number) => void, cancel: () => void): ProgressGuard {
  let failure: { readonly error: unknown } | undefined;
  return {
    progress: (fraction) => {
      if (failure !== undefined) return;
      try {
        onProgress(fraction);
      } catch (error) {
        failure = { error };
        cancel();
      }
    },
    rethrow: () => {
      if (failure !== undefined) throw failure.error;
    },
  };
}

/** For the functions that return at once. */
export function callNative<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw nativeError(error);
  }
}

/** A native error carries our code as plain text; anything else is a fault of ours. */
export function nativeError(error: unknown): AttuneError {
  if (error instanceof AttuneError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return fail(isErrorCode(code) ? code : "ATTUNE_INTERNAL", reasonOf(error), { cause: error });
}
