// Where the library lies whose CUDA kernels run on the CPU over fibers, and how to work with it.
// Must not make engines.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
export const simulated = join(root, "build-cmake", "Release", "libattune-cuda-simt.so");

export function expectSimulated(): void {
  expect(existsSync(simulated), `${simulated} (npm run build)`).to.equal(true);
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
