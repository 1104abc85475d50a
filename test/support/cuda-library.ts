// The library of CUDA kernels that tests use: that of ATTUNE_CUDA, else the one whose kernels run on the CPU over fibers.
// Must not open it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const given = process.env.ATTUNE_CUDA ?? "";

/** Built beside the addon by CMake. */
export const simulatedCuda = join(root, "build-cmake", "Release", "libattune-cuda-simt.so");

/** Throws where there is none. */
export function testedCuda(): string {
  const path = given === "" || given === "off" ? simulatedCuda : given;
  if (!existsSync(path)) throw new Error(`expected the library ${path} (npm run build with CMake)`);
  return path;
}

/** Runs with variables of the environment set, and sets them back. */
export async function withEnvironment<Result>(
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

/** Runs with ATTUNE_CUDA set. */
export function withCuda<Result>(path: string, work: () => Result | Promise<Result>): Promise<Result> {
  return withEnvironment({ ATTUNE_CUDA: path }, work);
}
