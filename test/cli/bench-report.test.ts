// How attune bench makes rows and shares of times: on times made up here.

import { expect } from "chai";
import { peaksOf, rowsOf, type TimedRow, type Trial } from "../../lib/cli/bench-report.js";

function trial(rows: readonly Partial<TimedRow>[], isa = "avx512bf16"): Trial {
  const blank = { op: "op", shape: "1x1", dtype: "fp32", ms: [1], flop: 0, bytes: 0 };
  return { suite: "suite", isa, threads: 2, rows: rows.map((row) => ({ ...blank, ...row })) };
}

/** GFLOP/s and GB/s. */
const peaks = {
  arithmetic: [
    { isa: "avx512bf16", dtype: "bf16", gflops: 1000 },
    { isa: "avx512bf16", dtype: "fp32", gflops: 500 },
    { isa: "avx2", dtype: "fp32", gflops: 200 },
  ],
  readGbps: 40,
};

describe("the rows of attune bench", () => {
  it("are medians of the trials' medians, with their range", () => {
    const [row] = rowsOf(
      [trial([{ ms: [3, 1, 2] }]), trial([{ ms: [9, 4, 5] }]), trial([{ ms: [4, 4, 100] }])],
      peaks,
    );
    expect(row?.ms).to.deep.equal({ median: 4, least: 2, most: 5, each: [2, 5, 4] });
  });

  it("have the range of the calls where there is one trial", () => {
    const [row] = rowsOf([trial([{ ms: [3, 1, 2] }])], peaks);
    expect(row?.ms).to.deep.equal({ median: 2, least: 1, most: 3, each: [3, 1, 2] });
  });

  it("keep ops, shapes and dtypes apart and in order", () => {
    const rows = [{ op: "b" }, { op: "a" }, { op: "a", shape: "2x2" }, { op: "a", dtype: "bf16" }];
    const found = rowsOf([trial(rows), trial(rows.toReversed())], peaks);
    expect(found.map(({ op, shape, dtype }) => [op, shape, dtype])).to.deep.equal([
      ["b", "1x1", "fp32"],
      ["a", "1x1", "fp32"],
      ["a", "2x2", "fp32"],
      ["a", "1x1", "bf16"],
    ]);
    for (const { ms } of found) expect(ms.each).to.have.length(2);
  });

  // 2 ms each; 10^9 operations take 2 ms at 500 GFLOP/s, 40 MB 1 ms at 40 GB/s.
  const limited: readonly (readonly [string, Partial<TimedRow>, string, object])[] = [
    ["operations", { flop: 1e9 }, "avx512bf16", { limit: "arithmetic", share: 1, gflops: 500 }],
    ["bytes", { bytes: 4e7 }, "avx512bf16", { limit: "memory", share: 0.5, gbps: 20 }],
    [
      "more operations than bytes",
      { flop: 1e9, bytes: 4e7 },
      "avx512bf16",
      { limit: "arithmetic", share: 1 },
    ],
    ["more bytes than operations", { flop: 1e8, bytes: 4e7 }, "avx512bf16", { limit: "memory", share: 0.5 }],
    [
      "bf16 with instructions for it",
      { flop: 1e9, dtype: "bf16" },
      "avx512bf16",
      { limit: "arithmetic", share: 0.5 },
    ],
    ["bf16 without", { flop: 1e8, dtype: "bf16" }, "avx2", { limit: "arithmetic", share: 0.25 }],
  ];
  for (const [what, row, isa, expected] of limited) {
    it(`show the share of the longer limit: ${what}`, () => {
      const [found] = rowsOf([trial([{ ms: [2], ...row }], isa)], peaks);
      expect(found).to.deep.include(expected);
    });
  }

  it("have no share where no peak is known, and none of whole steps", () => {
    const rows = [
      { flop: 1e9, bytes: 4e7 },
      { op: "step", tokens: 500, ms: [100] },
    ];
    const [emulated, step] = rowsOf([trial(rows, "emulated16")], peaks);
    for (const row of [emulated, step]) expect(row).to.not.have.any.keys("limit", "share");
    expect(emulated?.gflops).to.equal(1000);
    expect(step?.tokensPerSecond).to.equal(5000);
  });
});

describe("the peaks of attune bench", () => {
  it("are the best call of all trials, for each instruction set and number format", () => {
    const arithmetic = (isa: string, dtype: string, ms: readonly number[]) => ({
      op: "peak_arithmetic",
      isa,
      dtype,
      ms,
      flop: 1e9,
    });
    const reading = (ms: readonly number[]) => ({ op: "peak_read", ms, bytes: 4e8 });
    const found = peaksOf([
      trial([arithmetic("a", "bf16", [2, 1, 3]), arithmetic("a", "fp32", [4, 5]), reading([20, 30])]),
      trial([arithmetic("a", "bf16", [2, 3]), arithmetic("a", "fp32", [2, 2]), reading([10, 30])]),
    ]);
    expect(found).to.deep.equal({
      arithmetic: [
        { isa: "a", dtype: "bf16", gflops: 1000 },
        { isa: "a", dtype: "fp32", gflops: 500 },
      ],
      readGbps: 40,
    });
  });
});
