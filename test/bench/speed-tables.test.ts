// The tables of docs/performance.md show what was kept, and say what was not measured.

import { expect } from "chai";
import { peerRows } from "../../bench/peer-rows.js";
import { contentionTable, peersTable } from "../../bench/speed-tables.js";
import { spreadOf } from "../../lib/cli/bench-numbers.js";

const machine = { line: "Some CPU, 2 threads", isa: "avx512bf16", node: "20.0.0", kernel: "6" };
const when = { date: "2026-01-02", commit: "abc" };
const series = (...values: number[]) => spreadOf(values);

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
}

describe("the table of other software", () => {
  it("has a line for every row, and none of them looks measured where nothing is", () => {
    const lines = linesOf(peersTable({ avx2: undefined, avx512: undefined }));
    expect(lines).to.have.length(1 + peerRows.length);
    for (const line of lines.slice(1)) expect(line.match(/not measured/g)).to.have.length(2);
  });

  it("has median, range, both sides and date beside the processor's target", () => {
    const parts = {
      "256x768x50257": { ours: series(300), theirs: series(100), ratio: series(2.5, 3, 3.5) },
      "256x768x50257 memory": { ours: series(1 / 50), theirs: series(1 / 100), ratio: series(2) },
    };
    const row = { what: "", target: 2.5, parts, loads: [], ...when };
    const text = peersTable({ avx2: undefined, avx512: { machine, rows: { "head-fp32": row } } });
    expect(text).to.include("- AVX2: not measured").and.include("- AVX-512: Some CPU, 2 threads; avx512bf16");
    const own = linesOf(text).filter((line) => line.includes("256x768x50257"));
    expect(own).to.have.length(2);
    expect(own[0])
      .to.include("| `head-fp32`: ")
      .and.include("| 1.3x | not measured |")
      .and.include("| 2.5x | 3 (2.5 to 3.5) | 300 GFLOP/s, 100 GFLOP/s | 2026-01-02 |");
    expect(own[1])
      .to.match(/^\| {2}\| /)
      .and.include("| 2.5x | 2 (2 to 2) | 50.0 MB, 100 MB |");
  });

  it("has as many cells in every line as in its heading", () => {
    const cells = linesOf(peersTable({ avx2: undefined, avx512: undefined })).map(
      (line) => line.split("|").length,
    );
    expect(new Set(cells).size).to.equal(1);
  });
});

describe("the table of busy processes", () => {
  it("says where nothing was measured", () => {
    expect(contentionTable({ avx2: undefined, avx512: undefined })).to.match(/^\| not measured \|/m);
  });

  it("shows the slowdown and both times", () => {
    const row = {
      what: "a GEMM",
      limit: 2,
      slowdown: series(1.5, 1.6, 1.9),
      quiet: series(10),
      busy: series(16),
      loads: [],
    };
    const text = contentionTable({
      avx2: { machine, rows: { gemm: { ...row, ...when } } },
      avx512: undefined,
    });
    expect(linesOf(text)[1]).to.equal(
      "| a GEMM | 2x | 1.6 (1.5 to 1.9) | 10, 16 | 2026-01-02 |  | not measured |  |  |",
    );
  });
});
