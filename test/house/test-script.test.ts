// The script that runs the tests tells the truth in its last line.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const script = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "scripts", "test.mjs");

describe("the test script", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-tests-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Exit code and last line for a file of tests. */
  function outcome(text: string): readonly [number | null, string | undefined] {
    const file = join(folder, "some.test.ts");
    writeFileSync(file, text);
    const { status, stdout } = spawnSync(process.execPath, [script, file], { encoding: "utf8" });
    return [status, stdout.trimEnd().split("\n").at(-1)];
  }

  it("counts what passed and leaves pending tests out", () => {
    expect(outcome('it("a", () => {}); it("b", () => {}); it("c");')).to.deep.equal([
      0,
      "2 passed, 0 failed",
    ]);
  });

  it("counts what failed, and fails", () => {
    const text = 'it("a", () => {}); it("b", () => { throw new Error("no"); });';
    expect(outcome(text)).to.deep.equal([1, "1 passed, 1 failed"]);
  });

  it("fails when no test ran", () => {
    expect(outcome('describe("empty", () => {});')).to.deep.equal([1, "0 passed, 1 failed"]);
  });

  it("fails when a file cannot be loaded", () => {
    expect(outcome('import "./missing.js";')).to.deep.equal([1, "0 passed, 1 failed"]);
  });
});
