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

/** Runs with ATTUNE_CUDA set. */
export async function withCuda<Result>(path: string, work: () => Result | Promise<Result>): Promise<Result> {
  const before = process.env.ATTUNE_CUDA;
  process.env.ATTUNE_CUDA = path;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.ATTUNE_CUDA;
    else process.env.ATTUNE_CUDA = before;
  }
}
