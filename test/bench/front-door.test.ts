// `npm run bench` measures in processes of their own and keeps what it shows; wrong words end before anything is measured.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { FrontDoorReport } from "../../bench/main.js";
import { suiteFolder } from "../support/temporary-folder.js";

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

function bench(...args: string[]) {
  return spawnSync(process.execPath, ["--import", "tsx", main, ...args], { encoding: "utf8" });
}

describe("npm run bench", () => {
  const at = suiteFolder();

  it("keeps every trial of a suite with the machine", () => {
    const { status, stdout, stderr } = bench("rows", "--trials", "2", "--json", at("report.json"));
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(readFileSync(at("report.json"), "utf8")) as FrontDoorReport;
    expect(report.machine).to.match(/ threads?, .* GiB/);
    // No suite of kernels was asked for.
    expect(report).to.not.have.property("kernels");
    expect(report.suites).to.have.length(2);
    for (const { suite, name, ms } of report.suites) {
      expect(suite).to.equal("rows");
      expect(stdout).to.include(name);
      expect(ms.each).to.have.length(2);
      expect(ms.least).to.be.above(0).and.at.most(ms.median);
    }
  });

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ["an unknown suite", ["rowz"], 'no suite or benchmark "rowz"; suites: rows, steps, gemm'],
    [
      "no trial",
      ["rows", "--trials", "0"],
      'expected --trials to be a whole number of at least 1 but received "0"',
    ],
    ["threads that are no number", ["rows", "--threads", "two"], "expected --threads to be a whole number"],
    ["pairs that are no number", ["contention", "--pairs", "x"], "expected --pairs to be a whole number"],
    ["a benchmark that every object has", ["constructor"], 'no suite or benchmark "constructor"'],
    ["a dtype", ["gpt2-step", "--dtype", "fp16"], 'expected --dtype to be fp32 or bf16 but received "fp16"'],
    [
      "an unknown row",
      ["peers", "--python", "python3", "--only", "gemms"],
      'no row "gemms"; --list names them',
    ],
    [
      "a Python that is none",
      ["peers", "--python", "./no-python", "--only", "gemm-fp32"],
      "expected --python to name a Python with torch",
    ],
    ["comparisons without a Python", ["peers"], "usage: npm run bench:peers -- --python PATH"],
    ["an unknown case", ["contention", "--only", "gemms"], 'no case "gemms"; there are: gemm, step'],
  ];
  for (const [what, args, text] of wrong) {
    it(`says what is wrong with ${what}`, () => {
      const { status, stderr } = bench(
        ...args,
        ...(["rows", "rowz"].includes(args[0] ?? "") ? ["--json", at("wrong.json")] : []),
      );
      expect(status).to.equal(1);
      expect(stderr).to.include(text).and.not.include("    at ");
      expect(existsSync(at("wrong.json"))).to.equal(false);
    });
  }
});
