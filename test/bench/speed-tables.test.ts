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
  it("has a line for every row that is wanted, and none of them looks measured where nothing is", () => {
    const lines = linesOf(peersTable({ avx2: [], avx512: [{ machine, rows: {} }] }));
    expect(lines).to.have.length(1 + peerRows.filter(({ target }) => target.avx512 !== undefined).length);
    for (const line of lines.slice(1))
      expect(line).to.match(/^\| [a-z0-9-]+ \| {2}\| [\d.]+x \| not measured \| {2}\|/);
    const avx2 = linesOf(peersTable({ avx2: [{ machine, rows: {} }], avx512: [] }));
    expect(avx2.some((line) => line.includes("bf16"))).to.equal(false);
  });

  it("has median, range, both sides, date and commit beside what is wanted of a part", () => {
    const parts = {
      "256x768x50257": { ours: series(300), theirs: series(100), ratio: series(2.5, 3, 3.5) },
      "256x768x50257 memory": { ours: series(1 / 50), theirs: series(1 / 100), ratio: series(2) },
    };
    const peakMb = { ours: series(100, 110), theirs: series(420) };
    const row = { what: "", parts, peakMb, loads: [], ...when };
    const text = peersTable({ avx2: [], avx512: [{ machine, rows: { "head-fp32-default": row } }] });
    expect(text).to.include("AVX2: not measured.").and.include("AVX-512: Some CPU, 2 threads; avx512bf16");
    const lines = linesOf(text);
    const first = lines.findIndex((line) => line.startsWith("| head-fp32-default |"));
    expect(lines.slice(first, first + 3)).to.deep.equal([
      "| head-fp32-default | 256x768x50257 | 2.5x | 3 (2.5 to 3.5) | 300 GFLOP/s | 100 GFLOP/s | 2026-01-02, abc |",
      "|  | 256x768x50257 memory | 4x | 2 (2 to 2) | 50.0 MB | 100 MB | 2026-01-02, abc |",
      "|  | peak memory |  | 4 | 105 MB | 420 MB | 2026-01-02, abc |",
    ]);
  });

  it("says what is missing once, where most was measured", () => {
    const parts = { all: { ours: series(2), theirs: series(1), ratio: series(2) } };
    const row = { what: "", parts, loads: [], ...when };
    const most = { machine, rows: { "gpt2-fp32": row, "gpt2-bf16": row } };
    const few = { machine, rows: { "gpt2-fp32": row } };
    const [, whole = "", short = ""] = peersTable({ avx2: [], avx512: [most, few] }).split("AVX-512: ");
    expect(linesOf(short)).to.have.length(2);
    const wanted = peerRows.filter(({ target }) => target.avx512 !== undefined);
    expect(linesOf(whole)).to.have.length(1 + wanted.length);
  });

  it("has as many cells in every line as in its heading", () => {
    const cells = linesOf(peersTable({ avx2: [], avx512: [{ machine, rows: {} }] })).map(
      (line) => line.split("|").length,
    );
    expect(new Set(cells).size).to.equal(1);
  });
});

describe("the machine above a table", () => {
  it("is that of every row that does not name another", () => {
    const row = {
      what: "",
      parts: { all: { ours: series(2), theirs: series(1), ratio: series(2) } },
      loads: [],
    };
    const rows = {
      "gpt2-fp32": { ...row, ...when, on: "Another CPU; avx2" },
      "gpt2-bf16": { ...row, ...when },
    };
    const lines = linesOf(peersTable({ avx2: [], avx512: [{ machine, rows }] }));
    const endOf = (name: string) =>
      lines
        .find((line) => line.startsWith(`| ${name} |`))
        ?.split(" | ")
        .at(-1);
    expect(endOf("gpt2-fp32")).to.equal("2026-01-02, abc, Another CPU; avx2 |");
    expect(endOf("gpt2-bf16")).to.equal("2026-01-02, abc |");
  });
});

describe("the table of busy processes", () => {
  it("says where nothing was measured", () => {
    expect(contentionTable({ avx2: [], avx512: [] })).to.equal(
      "AVX2: not measured.\n\nAVX-512: not measured.",
    );
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
      avx2: [{ machine, rows: { gemm: { ...row, ...when } } }],
      avx512: [],
    });
    expect(linesOf(text)[1]).to.equal("| a GEMM | 2x | 1.6 (1.5 to 1.9) | 10 ms | 16 ms | 2026-01-02, abc |");
  });
});
