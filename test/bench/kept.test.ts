// Kept rows name the machine that they were measured on, also when another one goes on with the file.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import {
  type Kept,
  keepingRows,
  type MeasuredOn,
  machineText,
  processorOf,
  resultsName,
  rowsOn,
} from "../../bench/kept.js";

const zen3: MeasuredOn = { line: "Some CPU", isa: "avx2", best: "avx2", node: "20.0.0", kernel: "6" };
const zen5: MeasuredOn = { ...zen3, best: "avx512bf16", family: "family 26 model 2" };
const when = { date: "2026-01-02", commit: "abc" };

describe("kept rows", () => {
  it("tell a processor with AVX2 alone from a better one that was held to it", () => {
    expect(machineText(zen3)).to.equal("Some CPU; avx2");
    expect(machineText(zen5)).to.equal("Some CPU; family 26 model 2, avx512bf16 held to avx2");
  });

  it("say so where another machine measured them", () => {
    const kept: Kept<{ readonly n: number }> = {
      machine: zen3,
      rows: { old: { n: 1, on: "older", ...when }, new: { n: 2, ...when } },
    };
    expect(rowsOn(kept, { ...zen3, kernel: "7" })).to.deep.equal(kept.rows);
    const rows = rowsOn(kept, zen5);
    expect(rows.old?.on).to.equal("older");
    expect(rows.new?.on).to.equal("Some CPU; avx2");
  });

  it("lie in one file for each processor and instruction set", () => {
    expect(resultsName("peers", zen5)).to.equal("peers-avx2-family26-model2.json");
    expect(resultsName("peers", { ...zen5, isa: "avx512bf16" })).to.equal(
      "peers-avx512-family26-model2.json",
    );
    expect(resultsName("scaling", zen3)).to.equal("scaling-avx2-unnamed.json");
  });

  it("say the threads of the command unless they have their own", () => {
    const folder = mkdtempSync(join(tmpdir(), "attune-kept-"));
    try {
      const keeping = keepingRows("scaling", "avx2", 4, { folder, processors: 4 });
      keeping.keep("one", { threads: 1 });
      keeping.keep("most", {});
      const [file = ""] = readdirSync(folder);
      const { rows } = JSON.parse(readFileSync(join(folder, file), "utf8")) as Kept<object>;
      expect([rows.one?.threads, rows.most?.threads]).to.deep.equal([1, 4]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are not kept of fewer threads than the machine has", () => {
    const folder = mkdtempSync(join(tmpdir(), "attune-kept-"));
    try {
      keepingRows("peers", "avx2", 1, { folder, processors: 4 }).keep("one", {});
      expect(readdirSync(folder)).to.deep.equal([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are kept of processors alone, not of emulated ones", () => {
    expect([processorOf("avx2"), processorOf("avx512"), processorOf("avx512bf16")]).to.deep.equal([
      "avx2",
      "avx512",
      "avx512",
    ]);
    for (const isa of ["scalar", "emulated16", "neon"]) expect(() => processorOf(isa)).to.throw(isa);
  });
});
