// The benchmarks of the addon count what they do and say what is wrong. How fast anything is is no test.

import { expect } from "chai";
import { benchSuites, peakSuite } from "../../lib/cli/bench-suites.js";
import { isas } from "../../lib/engine/index.js";
import { benchKernels, type KernelTiming, kernelBenches } from "../../lib/engine/kernel-bench.js";

const seconds = 0.001;

async function rowsOf(benchmark: string, ...words: string[]): Promise<readonly KernelTiming[]> {
  const { rows } = await benchKernels({ benchmark, arguments: words, seconds, threads: 2 });
  for (const { op, ms } of rows) {
    expect(ms.length, op).to.be.at.least(3);
    expect(ms.every((one) => one > 0)).to.equal(true);
  }
  return rows;
}

async function failure(
  work: Promise<unknown>,
): Promise<{ readonly code?: string; readonly message: string }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("benchmarks of kernels", () => {
  it("are all in a suite of attune bench, and the suites name no other", () => {
    const used = [peakSuite, ...benchSuites].flatMap(({ kernels }) =>
      kernels.map(({ benchmark }) => benchmark),
    );
    expect(used).to.have.members(kernelBenches().map(({ name }) => name));
  });

  it("count the operations and bytes of a GEMM and of both its gradients", async () => {
    const [M, N, K] = [24, 64, 32];
    for (const [dtype, size] of [
      ["fp32", 4],
      ["bf16", 2],
    ] as const) {
      const rows = await rowsOf("gemm", dtype, `${M}x${N}x${K}`);
      expect(rows.map(({ op, bytes }) => [op, bytes])).to.deep.equal([
        ["linear_forward", size * (M * K + N * K + M * N)],
        ["linear_backward_input", 4 * M * N + size * N * K + 4 * M * K],
        ["linear_backward_weight", 4 * M * N + size * M * K + 8 * N * K],
      ]);
      for (const row of rows)
        expect(row).to.deep.include({ dtype, shape: `${M}x${N}x${K}`, flop: 2 * M * N * K });
    }
  });

  it("count only the pairs of attention that exist", async () => {
    const [forward, backward] = await rowsOf("attention", "fp32", "256 + 32 x 1 H9 G3 D64");
    const pairs = (256 * 257) / 2 + 32 * (256 + 1);
    expect(forward).to.deep.include({ op: "attention_forward", flop: 4 * 9 * 64 * pairs });
    expect(backward).to.deep.include({ op: "attention_backward", flop: 10 * 9 * 64 * pairs });
  });

  it("say what the fused head holds beside weights and gradients", async () => {
    const [row] = await rowsOf("fused_head", "bf16", "32x64x4096");
    expect(row).to.deep.include({ op: "fused_head", dtype: "bf16", flop: 6 * 32 * 64 * 4096 });
    // The logits of one chunk at least.
    expect(row?.extraBytes).to.be.at.least(32 * 4096 * 4);
  });

  it("time only the groups that were asked for", async () => {
    const names = (await rowsOf("rows", "fp32", "norms")).map(({ op }) => op);
    expect(names).to.include("rmsnorm_forward").and.not.include("adamw");
  });

  it("measure a peak for every instruction set that runs here, and reading", async () => {
    const rows = await rowsOf("peak");
    const arithmetic = rows.filter(({ op }) => op === "peak_arithmetic");
    const native = isas().flatMap(({ name, native, runnable }) => (native && runnable ? [name] : []));
    expect(new Set(arithmetic.map(({ isa }) => isa))).to.deep.equal(new Set(native));
    for (const { flop } of arithmetic) expect(flop).to.be.above(0);
    const reading = rows.filter(({ op }) => op === "peak_read");
    expect(reading.map(({ bytes }) => bytes)).to.deep.equal(Array.from({ length: 3 }, () => 2 ** 28));
  });

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ["gem", [], 'Unknown benchmark "gem"'],
    ["gemm", ["10x20"], 'a shape MxNxK but received "10x20"'],
    ["gemm", ["10x20x30x40"], 'received "10x20x30x40"'],
    ["attention", ["1024"], 'received "1024"'],
    ["rows", ["norm"], '"norms"'],
    ["head", ["fp32"], 'Expected no argument but received "fp32"'],
  ];
  for (const [benchmark, words, text] of wrong) {
    it(`refuse ${benchmark} ${words.join(" ")} with what was expected`, async () => {
      const { code, message } = await failure(benchKernels({ benchmark, arguments: words, seconds }));
      expect(code).to.equal("ATTUNE_OPTION");
      expect(message).to.include(text);
    });
  }

  it("stop between two calls when they are cancelled", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const work = benchKernels({ benchmark: "gemm", arguments: ["8x32x32"], seconds: 1e6, signal });
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 50);
    expect(await failure(work)).to.equal(reason);
  });
});
