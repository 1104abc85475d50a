// The script that checks the NEON kernels adds up what the runner counted, and fails when it compared nothing there:
// tried with programs that only print.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const script = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "scripts", "test-neon.mjs");
const neon = "isa neon: 40 passed, 0 failed";
const scalar = "isa scalar: 40 passed, 0 failed";
/** What the runner prints for all tables, for the one that it picks, and for the one that ATTUNE_ISA names. */
const good = {
  all: [neon, scalar, "90 passed, 0 failed"],
  picked: [neon, "40 passed, 0 failed"],
  named: [scalar, "40 passed, 0 failed"],
};

describe("the script that checks NEON", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-neon-"));
    for (const name of ["cmake", "make", "aarch64-linux-gnu-g++"]) program(name, "exit 0");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function program(name: string, body: string): void {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/bash\n${body}\n`);
    chmodSync(path, 0o755);
  }

  /** `code` is how the first run ends. */
  function emulator({ all, picked, named }: typeof good, code = 0): void {
    const say = (lines: readonly string[]) => lines.map((line) => `echo '${line}'`).join("; ");
    const first = `"check --isa all ") ${say(all)}; exit ${code} ;;`;
    const others = [`"check "*" scalar") ${say(named)} ;;`, `"check "*) ${say(picked)} ;;`];
    program("qemu-aarch64", [`case "$\{*:4} $ATTUNE_ISA" in`, first, ...others, "esac"].join("\n"));
  }

  function run(): { readonly code: number | null; readonly last: string | undefined; readonly text: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
      encoding: "utf8",
      env: { PATH: folder },
    });
    return { code: status, last: stdout.trimEnd().split("\n").at(-1), text: stdout + stderr };
  }

  it("prints the sum of its runs as its last line", () => {
    emulator(good);
    expect(run()).to.deep.include({ code: 0, last: "170 passed, 0 failed" });
  });

  it("fails when the NEON table was not among what ran", () => {
    emulator({ ...good, all: ["isa neon: not run (not built)", scalar, "50 passed, 0 failed"] });
    expect(run()).to.deep.include({ code: 1, last: "130 passed, 1 failed" });
  });

  it("fails when another table than NEON is picked by default", () => {
    emulator({ ...good, picked: good.named });
    expect(run()).to.deep.include({ code: 1, last: "170 passed, 1 failed" });
  });

  it("fails with a comparison", () => {
    emulator({ ...good, all: ["isa neon: 38 passed, 2 failed", scalar, "88 passed, 2 failed"] }, 1);
    expect(run()).to.deep.include({ code: 1, last: "168 passed, 2 failed" });
  });

  it("fails when the runner dies", () => {
    program("qemu-aarch64", 'if [ "$1" != --version ]; then exit 139; fi');
    expect(run()).to.deep.include({ code: 1, last: "0 passed, 7 failed" });
  });

  it("names the packages that are missing", () => {
    const { code, text } = run();
    expect(code).to.equal(1);
    expect(text).to.include("Missing: qemu-aarch64").and.include("apt-get install qemu-user");
  });
});
