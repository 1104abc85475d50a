// The cost model: more cores never make a step dearer by arithmetic, one core never waits, and its parts are all of it. The tables
// hold what was kept and say where nothing was.

import { expect } from "chai";
import {
  fewRowsTasks,
  gemmTasks,
  type Processor,
  type Shape,
  stepCost,
  stepOps,
} from "../../bench/cost-model.js";
import { scalingTables } from "../../bench/scaling-tables.js";
import { spreadOf } from "../../lib/cli/bench-numbers.js";

const shape: Shape = {
  ...{ name: "two layers", layers: 2, width: 64, qkvWidth: 192, mlpWidth: 256, upWidth: 256 },
  ...{ heads: 4, headWidth: 16, vocabulary: 1000, rows: 512, targets: 500, length: 64, references: 0 },
};
const core: Processor = {
  ...{ name: "a core", cores: 1, coresPerL3: 8, gemmGflops: 100, attentionGflops: 50 },
  ...{ gbPerSecondPerCore: 20, gbPerSecond: 20, tileRows: 12, nodes: 1, linkGbPerSecond: 0 },
};

describe("the cost model", () => {
  it("counts the products of a step: 6 per weight and row, 12 for attention's", () => {
    const gflop = stepOps(shape, { threads: 1, tileRows: 12 }).reduce(
      (sum, op) => sum + op.gflop * op.times,
      0,
    );
    const weights = 2 * (64 * 192 + 64 * 64 + 2 * 64 * 256);
    const maps = 6e-9 * (weights * shape.rows + 64 * 1000 * shape.targets);
    const attention = 2 * 7e-9 * 512 * 64 * 4 * 16;
    expect(gflop).to.be.closeTo(maps + attention, 1e-12);
  });

  it("has one core wait for nobody, and parts that are all of the time", () => {
    const { milliseconds, parts } = stepCost(shape, core, 1);
    expect(parts.waiting).to.equal(0);
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).to.be.closeTo(milliseconds, 1e-9);
    expect(parts.gemm).to.be.greaterThan(parts.attention).and.greaterThan(0);
  });

  it("gives arithmetic to all cores, and memory no more than there is", () => {
    const many = { ...core, cores: 8, gbPerSecond: 40 };
    const [one, eight] = [1, 8].map((threads) => stepCost(shape, many, threads).parts);
    expect((one?.gemm ?? 0) / (eight?.gemm ?? 1)).to.be.within(4, 8);
    expect((one?.optimiser ?? 0) / (eight?.optimiser ?? 1)).to.be.closeTo(2, 1e-9);
  });

  it("pays for the other socket", () => {
    const near = { ...core, cores: 8, gbPerSecond: 160 };
    const far = { ...near, nodes: 2, linkGbPerSecond: 10 };
    const [here, there] = [near, far].map((one) => stepCost(shape, one, 8).parts.optimiser);
    expect((there ?? 0) / (here ?? 1)).to.be.closeTo(160 / 10 / 2, 1e-9);
    // Threads of one socket alone keep to its memory.
    expect(stepCost(shape, far, 4).parts.optimiser).to.be.closeTo(2 * (here ?? 0), 1e-9);
  });

  it("cuts a GEMM as the kernels do", () => {
    const two = { threads: 2, tileRows: 12 };
    expect(gemmTasks({ m: 256, n: 768, k: 768, ...two })).to.equal(24 * 3);
    // Five panels of 576 fit into a task's memory, eight of 256.
    expect(gemmTasks({ m: 1024, n: 49_152, k: 576, ...two })).to.equal(Math.ceil(1536 / 5));
    expect(gemmTasks({ m: 1024, n: 49_152, k: 256, ...two })).to.equal(1536 / 8);
    expect(gemmTasks({ m: 12, n: 576, k: 576, threads: 64, tileRows: 12 })).to.equal(18);
    expect(gemmTasks({ m: 256, n: 768, k: 768, threads: 2, tileRows: 6 })).to.equal(24 * 3);
  });

  it("cuts weights that few rows meet as the kernels do", () => {
    expect(fewRowsTasks({ m: 768, n: 256, threads: 2, tileRows: 12 })).to.equal(8);
    // Panels are parted where ranges of rows do not suffice.
    expect(fewRowsTasks({ m: 768, n: 256, threads: 64, tileRows: 12 })).to.equal(8 * 32);
  });
});

describe("the tables of scaling", () => {
  const machine = { line: "Some CPU", isa: "avx2", node: "20.0.0", kernel: "6" };
  const when = { date: "2026-01-02", commit: "abc" };

  it("holds the model against every measured step", () => {
    const measured = spreadOf([10, 12, 11]);
    const rows = {
      kernels: { processor: core, ...when },
      "8x64-1": { shape, threads: 1, measured, ...when },
    };
    const { milliseconds } = stepCost(shape, core, 1);
    const ratio = (milliseconds / 11).toFixed(2);
    expect(scalingTables({ machine, rows })).to.include(
      `| two layers | 1 | 11 (10 to 12) ms | ${milliseconds.toFixed(0)} ms | ${ratio} |`,
    );
  });

  it("says where kernels were not measured", () => {
    expect(scalingTables({ machine, rows: {} })).to.deep.equal(["Kernels were not measured."]);
  });
});
