// The CI script adds up what the runs counted and fails when anything did: tried with programs that only print.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

describe("the CI script", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-ci-"));
    mkdirSync(join(folder, "bin"));
    cpSync(join(root, ".ci"), join(folder, ".ci"), { recursive: true });
    const programs = ["g++", "make", "cmake", "python3", "valgrind", "chromium", "node"];
    for (const name of [...programs, "aarch64-linux-gnu-g++", "qemu-aarch64"]) program(name, "exit 0");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function program(name: string, body: string): void {
    const path = join(folder, "bin", name);
    writeFileSync(path, `#!/bin/bash\n${body}\n`);
    chmodSync(path, 0o755);
  }

  /** What `npm WORDS` does, by its words; what stands in `all` passes one test each unless it is said otherwise. */
  function npm(answers: Readonly<Record<string, string>>): void {
    const one = "echo '1 passed, 0 failed'";
    const all = { "run test:instructions": one, "run test:packed": one, "run test:neon": one, ...answers };
    const cases = Object.entries(all).map(([words, body]) => `  "${words}") ${body} ;;`);
    program("npm", ['case "$*" in', ...cases, "esac"].join("\n"));
  }

  function run(): { readonly code: number | null; readonly last: string | undefined; readonly text: string } {
    const path = `${join(folder, "bin")}:${process.env.PATH}`;
    const { status, stdout } = spawnSync(join(folder, ".ci", "run"), {
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    });
    return { code: status, last: stdout.trimEnd().split("\n").at(-1), text: stdout };
  }

  it("prints the sum of all runs as its last line", () => {
    npm({ test: "echo '120 passed, 0 failed'", "run test:oracle": "echo '30 passed, 0 failed'" });
    expect(run()).to.deep.include({ code: 0, last: "153 passed, 0 failed" });
  });

  it("fails with the tests", () => {
    npm({ test: "echo '118 passed, 2 failed'; exit 1", "run test:oracle": "echo '30 passed, 0 failed'" });
    expect(run()).to.deep.include({ code: 1, last: "151 passed, 2 failed" });
  });

  it("counts a run that printed no counts as a failure", () => {
    npm({ test: "echo 'Segmentation fault'; exit 139", "run test:oracle": "echo '30 passed, 0 failed'" });
    expect(run()).to.deep.include({ code: 1, last: "33 passed, 1 failed" });
  });

  it("counts a run that failed without saying so", () => {
    npm({ test: "echo '120 passed, 0 failed'; exit 1", "run test:oracle": "echo '30 passed, 0 failed'" });
    expect(run()).to.deep.include({ code: 1, last: "153 passed, 1 failed" });
  });

  it("fails with lint and with either build", () => {
    npm({
      test: "echo '1 passed, 0 failed'",
      "run test:oracle": "echo '1 passed, 0 failed'",
      "run lint": "exit 1",
    });
    program("node", '[[ "$*" == *--tool=gyp* ]] && exit 1; exit 0');
    const { code, last, text } = run();
    expect([code, last]).to.deep.equal([1, "5 passed, 2 failed"]);
    expect(text)
      .to.include("FAILED: lint")
      .and.include("FAILED: node-gyp build")
      .and.include("ok: cmake-js build");
  });

  it("fails when nothing ran", () => {
    const nothing = "echo '0 passed, 0 failed'";
    const names = ["test", "run test:oracle", "run test:instructions", "run test:packed", "run test:neon"];
    npm(Object.fromEntries(names.map((name) => [name, nothing])));
    expect(run().code).to.equal(1);
  });
});
