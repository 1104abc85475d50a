// Every op of every instruction set against its plain double-precision reference: one test per set, run by the C++
// checker. Its title says whether the set runs natively here or is emulated. CUDA's kernels run over fibers on the CPU.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { listBackends } from "../../lib/engine/index.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const places = ["build-cmake/Release/attune-tool", "build-cmake/attune-tool", "build-tool/attune-tool"];
const checker = places.map((place) => join(root, place)).find((path) => existsSync(path));
const sets = listBackends().flatMap(({ isas }) => isas ?? []);

async function expectAllPass(
  program: string,
  isa: string,
  families: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<void> {
  const { stdout } = await promisify(execFile)(program, ["check", ...families, "--isa", isa], {
    maxBuffer: 1 << 26,
    env: { ...process.env, ...environment },
  }).catch((error: { stdout?: string; message: string }) => ({ stdout: error.stdout ?? error.message }));
  const [, passed = "0", failed = "?"] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
  expect(failed, stdout.slice(-4000)).to.equal("0");
  expect(Number(passed)).to.be.above(1000);
  console.log(`      ${passed} comparisons on ${isa}`);
}

describe("every op agrees with its reference", () => {
  it("on at least one instruction set", () => {
    expect(sets.filter(({ built, runnable }) => built && runnable)).to.not.deep.equal([]);
  });

  it("by a checker that CMake built beside the addon", function () {
    if (!existsSync(join(root, "build-cmake/Release/attune.node"))) return this.skip();
    expect(checker, places.join(" or ")).to.be.a("string");
  });

  for (const { name, built, runnable, native } of sets) {
    const how = !built ? "not built" : !runnable ? "the processor lacks it" : native ? "native" : "emulated";
    it(`on ${name} (${how})`, async function () {
      // Only CMake builds the checker; a set that cannot run here is pending, not passed.
      if (checker === undefined || !built || !runnable) return this.skip();
      this.timeout(240_000);
      await expectAllPass(checker, name);
    });
  }

  it("as CUDA's kernels, and whole steps of models on the device too", async function () {
    if (checker === undefined || process.arch !== "x64") return this.skip();
    this.timeout(1_800_000);
    await expectAllPass(checker, "simt");
  });

  // The run above multiplies by wgmma where it can.
  for (const [gemm, families] of [
    ["mma", ["linear_forward", "linear_backward_input", "linear_backward_weight", "device_steps"]],
    ["cublaslt", ["linear_backward_input", "linear_backward_weight"]],
  ] as const)
    it(`with products of matrices by ${gemm}`, async function () {
      if (checker === undefined || process.arch !== "x64") return this.skip();
      this.timeout(1_800_000);
      await expectAllPass(checker, "simt", families, { ATTUNE_CUDA_GEMM: gemm });
    });
});
