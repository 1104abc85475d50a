// Runs one call of the addon: names the job, links an AbortSignal to it, and turns native errors into AttuneErrors.
// Must not know what the job does.

import { AttuneError, fail, isErrorCode, reasonOf } from "../errors/index.js";
import type { JobNumber, NativeAddon, NativeProgress } from "./addon-types.js";

export interface RunJobOptions {
  readonly addon: NativeAddon;
  readonly signal?: AbortSignal | undefined;
  /** Jobs under way of one owner, which cancels them when it is disposed. */
  readonly running?: Set<JobNumber>;
}

/** Starts `work` under a new job number. Rejects with `signal.reason` when the signal cancelled it. */
export async function runJob<Result>(
  { addon, signal, running }: RunJobOptions,
  work: (job: JobNumber) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  const job = addon.newJob();
  const abort = (): void => addon.cancel(job);
  signal?.addEventListener("abort", abort, { once: true });
  running?.add(job);
  try {
    return await work(job);
  } catch (error) {
    const named = nativeError(error);
    if (signal?.aborted && named.code === "ATTUNE_ABORTED") throw signal.reason;
    throw named;
  } finally {
    running?.delete(job);
    signal?.removeEventListener("abort", abort);
  }
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

/**
 * Runs `work` with a progress callback that never throws into native code: the first exception of `onProgress` cancels
 * the work and is thrown once it has ended.
 */
export async function withProgress<Result>(
  onProgress: ((fraction: number) => void) | undefined,
  cancel: () => void,
  work: (progress: NativeProgress | undefined) => Promise<Result>,
): Promise<Result> {
  if (onProgress === undefined) return work(undefined);
  const failures: unknown[] = [];
  const progress: NativeProgress = (fraction) => {
    if (failures.length > 0) return;
    try {
      onProgress(fraction);
    } catch (error) {
      failures.push(error);
      cancel();
    }
  };
  try {
    return await work(progress);
  } finally {
    // biome-ignore lint/correctness/noUnsafeFinally: the caller's own error is the cause of the cancelled work.
    if (failures.length > 0) throw failures[0];
  }
}
