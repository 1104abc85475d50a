// The library whose kernels run on the CPU over fibers, and machines for it (native/cuda/simt/machine_simt.h).
// Must not import the library under test.

import { copyFileSync } from "node:fs";
import { simulatedCuda } from "./cuda-library.js";

/** Runs with variables of the environment set, and sets them back. */
async function withEnvironment<Result>(
  values: Readonly<Record<string, string>>,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

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
