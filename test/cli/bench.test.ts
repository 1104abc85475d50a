// `attune bench` measures real kernels and steps, in processes of their own, and says what is wrong.

import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect } from "chai";
import type { BenchReport } from "../../lib/cli/bench-run.js";
import { benchSuites } from "../../lib/cli/bench-suites.js";
import { benchText } from "../../lib/cli/bench-table.js";
import { withCuda } from "../support/cuda-library.js";
import { withMachine } from "../support/simulated-gpu.js";
import { commandLine } from "./command-line.js";

const quick = ["--quick", "--threads", "1"];

async function measured(...args: string[]): Promise<BenchReport> {
  const { code, stdout, stderr } = await commandLine(["bench", ...args, ...quick, "--json"]);
  expect(code, stderr).to.equal(0);
  return JSON.parse(stdout) as BenchReport;
}

describe("attune bench", () => {
  it("names its suites", async () => {
    const { code, stdout } = await commandLine(["bench", "--list"]);
    expect(code).to.equal(0);
    for (const { name, what } of benchSuites) expect(stdout).to.include(name).and.include(what);
  });

  it("measures every suite when none is named, each trial anew", async () => {
    const report = await measured("--trials", "2");
    expect(new Set(report.rows.map(({ suite }) => suite))).to.deep.equal(
      new Set(benchSuites.map(({ name }) => name)),
    );
    expect(report).to.deep.include({ threads: 1, trials: 2, quick: true });
    expect(report.loads).to.have.length(2);
    for (const { op, ms } of report.rows) {
      expect(ms.each, op).to.have.length(2);
      expect(ms.least).to.be.above(0).and.at.most(ms.median);
      expect(ms.most).to.be.at.least(ms.median);
    }
  });

  it("shows kernels as a share of the peak that it measured first", async () => {
    const { rows, peak, isa } = await measured("gemm", "--trials", "1");
    expect(peak.readGbps).to.be.above(0);
    expect(peak.arithmetic.map((one) => one.isa)).to.include(isa);
    expect(rows.map(({ op, dtype }) => `${op} ${dtype}`)).to.include("linear_forward fp32");
    for (const { share } of rows) expect(share).to.be.above(0);
  });

  it("measures whole steps of the toy model in both number formats", async () => {
    const { rows } = await measured("toy-model", "--trials", "1");
    const names = ["fp32", "bf16"].flatMap((dtype) =>
      ["sft step", "dpo step", "sampling"].map((op) => `${op} ${dtype}`),
    );
    expect(rows.map(({ op, dtype }) => `${op} ${dtype}`)).to.deep.equal(names);
    for (const { tokensPerSecond } of rows) expect(tokensPerSecond).to.be.above(0);
  });

  it("runs the kernels of the instruction set that was asked for, whatever ATTUNE_ISA says", async () => {
    const { isa, rows } = await measured("gemm", "--trials", "1", "--isa", "scalar");
    expect(isa).to.equal("scalar");
    expect(rows).to.not.deep.equal([]);
  });

  it("prints a table with machine, peaks, rates and shares", async () => {
    const { code, stdout } = await commandLine(["bench", "row-ops", "gemm", "--trials", "1", ...quick]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^peaks: .* GFLOP\/s; read .* GB\/s$/m);
    expect(stdout).to.match(/^suite +op +shape +dtype +ms +least to most +rate +share$/m);
    expect(stdout).to.match(/^gemm +linear_forward +64x256x256 +fp32 .* (GFLOP|GB)\/s .* % of /m);
    expect(stdout).to.match(/^row-ops +rmsnorm_forward .* GB\/s .* % of memory$/m);
  });

  it("measures the GPU that is asked for, without shares of the processor's peak", () =>
    withMachine("devices=1", async () => {
      const report = await measured("gemm", "--trials", "1", "--device", "cuda");
      expect(report).to.deep.include({ isa: "cuda", gpu: "simt", peak: { arithmetic: [], readGbps: 0 } });
      expect(report.rows.map(({ op, dtype }) => `${op} ${dtype}`)).to.include("linear_forward bf16");
      for (const { gflops, share } of report.rows) {
        expect(gflops).to.be.above(0);
        expect(share).to.equal(undefined);
      }
      const text = benchText(report);
      expect(text).to.match(/^cuda on simt, /m);
      expect(text).to.not.match(/peaks|share/);
    }));

  it("fails where there is no GPU to measure", () =>
    withCuda("off", async () => {
      const { code, stderr } = await commandLine(["bench", "gemm", "--device", "cuda", ...quick]);
      expect(code).to.equal(1);
      expect(stderr).to.include("ATTUNE_CUDA=off").and.include("[ATTUNE_BACKEND]");
    }));

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ["a misspelt suite", ["gem"], 'Unknown suite of bench "gem". Did you mean "gemm"?'],
    ["a name that is no suite", ["everything"], "Expected one of: gemm, attention"],
    ["a misspelt flag", ["--trails", "2"], 'Did you mean "--trials"?'],
    ["no trial", ["--trials", "0"], "Expected --trials to be a whole number >= 1"],
    ["an instruction set of a GPU", ["gemm", "--device", "cuda", "--isa", "avx2"], "Leave one of them out"],
    ["a misspelt instruction set", ["gemm", ...quick, "--isa", "avx3"], 'Did you mean "avx2"?'],
  ];
  for (const [what, args, text] of wrong) {
    it(`answers ${what} with one message and exit code 2`, async () => {
      const { code, stdout, stderr } = await commandLine(["bench", ...args]);
      expect(code).to.equal(2);
      expect(stdout).to.equal("");
      expect(stderr)
        .to.include(text)
        .and.match(/\[ATTUNE_OPTION\]\n$/);
    });
  }

  it("ends its processes at Ctrl-C, leaves no folder and exits with 130", async () => {
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("attune-bench-"));
    const before = folders();
    let asked = false;
    const { code, stdout, stderr } = await commandLine(["bench", "toy-model", "--trials", "1000"], {
      isTTY: true,
      onProgress: (_, interrupt) => {
        if (!asked) setTimeout(interrupt, 200);
        asked = true;
      },
    });
    expect(code).to.equal(130);
    expect(stdout).to.equal("");
    expect(stderr).to.include("Interrupted");
    expect(process.getActiveResourcesInfo()).to.not.include("ProcessWrap");
    expect(folders().filter((name) => !before.includes(name))).to.deep.equal([]);
  });
});
