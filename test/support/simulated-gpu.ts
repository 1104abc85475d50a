// The library whose kernels run on the CPU over fibers, and machines for it (native/cuda/simt/machine_simt.h).
// Must not import the library under test.

import { copyFileSync } from "node:fs";
import { simulatedCuda, withEnvironment } from "./cuda-library.js";

/** Devices that are opened meanwhile are on this machine; it begins anew for each other plan. */
export function withMachine<Result>(plan: string, work: () => Result | Promise<Result>): Promise<Result> {
  return withEnvironment({ ATTUNE_CUDA: simulatedCuda, ATTUNE_SIMT: plan }, work);
}

/** What is found at the first look stays for the process: a machine of its own needs a library of its own. */
export function withOwnMachine<Result>(
  { file, plan }: { file: string; plan: string },
  work: () => Result | Promise<Result>,
): Promise<Result> {
  copyFileSync(simulatedCuda, file);
  return withEnvironment({ ATTUNE_CUDA: file, ATTUNE_SIMT: plan }, work);
}
