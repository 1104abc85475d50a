// What checks the CUDA kernels on a GPU says plainly when there is none, and adds up what ran when there is: tried with
// programs that only print, in a copy of the scripts.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const script = "native/tool/check-on-gpu.sh";
/** Of the system: without its compilers, and without a driver or a sanitizer that it may have. */
const programs =
  "awk basename bash cat chmod date dirname env grep head mkdir mktemp nproc paste rm sed sh tail tee tr uname xargs";

/** What the fake attune-tool does; it is what the fake nvcc links. */
interface Tool {
  readonly check?: string;
  readonly bench?: string;
}

interface Outcome {
  readonly code: number | null;
  readonly last: string | undefined;
  readonly text: string;
}

describe("the checks on a GPU", () => {
  let folder = "";
  const at = (...path: readonly string[]) => join(folder, ...path);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "attune-on-gpu-"));
    mkdirSync(at("bin"));
    mkdirSync(at("native"));
    cpSync(join(root, "native/tool"), at("native/tool"), { recursive: true });
    cpSync(join(root, "native/sources.json"), at("native/sources.json"));
    for (const name of programs.split(" ")) {
      const path = ["/usr/bin", "/bin"].map((place) => join(place, name)).find((one) => existsSync(one));
      symlinkSync(path ?? `/usr/bin/${name}`, at("bin", name));
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function program(name: string, body: string): void {
    writeFileSync(at("bin", name), `#!/bin/bash\n${body}\n`);
    chmodSync(at("bin", name), 0o755);
  }

  /** A GPU, and an nvcc whose output is a program that prints. */
  function gpu({ check = "echo '12 passed, 0 failed'", bench = `echo '{"op":"x"}'` }: Tool = {}): void {
    const answers = [
      "*name*) echo 'NVIDIA H200, 580.1, 143771 MiB, 9.0, 1980 MHz, 3201 MHz, 700 W' ;;",
      "*compute_cap*) echo 9.0 ;;",
      "*) echo 'GPU 0: NVIDIA H200' ;;",
    ];
    program("nvidia-smi", ['case "$*" in', ...answers, "esac"].join("\n"));
    const tool = `#!/bin/bash\ncase "$1" in check) ${check} ;; bench) ${bench} ;; esac\n`;
    writeFileSync(at("tool.txt"), tool);
    const link = `while [ $# -gt 1 ]; do if [ "$1" = -o ]; then cat ${at("tool.txt")} > "$2"; chmod +x "$2"; fi; shift; done`;
    program("nvcc", `if [ "$1" = --version ]; then echo 'release 13.0, V13'; exit; fi\n${link}`);
    program("g++", "exit 0");
  }

  function run(...words: readonly string[]): Outcome {
    const env = { PATH: at("bin") };
    const { status, stdout } = spawnSync(at(script), words, { encoding: "utf8", env });
    return { code: status, last: stdout.trimEnd().split("\n").at(-1), text: stdout };
  }

  it("say that there is no GPU, and fail", () => {
    const { text, ...rest } = run();
    expect(rest).to.deep.equal({ code: 1, last: "0 passed, 1 failed" });
    expect(text).to.contain("No NVIDIA GPU can be used here (there is no nvidia-smi): nothing was compared.");
  });

  it("say what the driver says, and fail", () => {
    program("nvidia-smi", 'echo "couldn\'t communicate with the NVIDIA driver"; exit 9');
    const { code, text } = run();
    expect(code).to.equal(1);
    expect(text).to.contain(
      "(nvidia-smi: couldn't communicate with the NVIDIA driver): nothing was compared.",
    );
  });

  it("count what the checker compared", () => {
    gpu();
    expect(run()).to.deep.include({ code: 0, last: "12 passed, 0 failed" });
    expect(run().text).to.contain("for compute capability 90a");
  });

  it("fail with a comparison, and with a checker that dies", () => {
    gpu({ check: "echo '10 passed, 2 failed'; exit 1" });
    expect(run()).to.deep.include({ code: 1, last: "10 passed, 2 failed" });
    gpu({ check: "exit 139" });
    expect(run()).to.deep.include({ code: 1, last: "0 passed, 1 failed" });
  });

  it("let compute-sanitizer watch with each of its tools, and fail with what one finds", () => {
    gpu();
    program("compute-sanitizer", "echo '2 passed, 0 failed'; echo '0 errors'");
    expect(run("--sanitize")).to.deep.include({ code: 0, last: "20 passed, 0 failed" });
    program("compute-sanitizer", "echo '2 passed, 0 failed'; [[ $2 != racecheck ]] || exit 9");
    expect(run("--sanitize")).to.deep.include({ code: 1, last: "20 passed, 1 failed" });
  });

  it("fail where compute-sanitizer is asked for and not there", () => {
    gpu();
    const { code, last, text } = run("--sanitize");
    expect([code, last]).to.deep.equal([1, "12 passed, 1 failed"]);
    expect(text).to.contain("compute-sanitizer is not here");
  });

  it("write the times of all benchmarks with a line of the machine", () => {
    gpu();
    expect(run(at("out")).code).to.equal(0);
    const { machine, rows } = JSON.parse(readFileSync(at("out/bench.json"), "utf8"));
    expect(machine).to.include({ name: "NVIDIA H200", driver_version: "580.1", nvcc: "13.0" });
    expect(rows).to.deep.equal(Array.from({ length: 5 }, () => ({ op: "x" })));
    expect(readFileSync(at("out/check.txt"), "utf8")).to.contain("12 passed");
  });

  it("fail with a benchmark", () => {
    gpu({ bench: "exit 1" });
    expect(run(at("out"))).to.deep.include({ code: 1, last: "12 passed, 5 failed" });
  });

  it("let the sanitizer watch families that there are", () => {
    const [, named = ""] = /^families=\((.*)\)$/m.exec(readFileSync(join(root, script), "utf8")) ?? [];
    const places = ["build-cmake/Release/attune-tool", "build-cmake/attune-tool", "build-tool/attune-tool"];
    const tool = places.map((place) => join(root, place)).find((place) => existsSync(place));
    if (tool === undefined) throw new Error(`expected ${places.join(" or ")} (npm run build with CMake)`);
    const listed = spawnSync(tool, ["list"], { encoding: "utf8" }).stdout;
    for (const family of named.split(" ")) expect(listed.split("\n")).to.include(`check ${family}`);
  });

  it("are part of npm run test:cuda, which says the same where there is no GPU", () => {
    program("nvidia-smi", "echo 'No devices were found'; exit 6");
    const words = [join(root, "scripts/test-cuda.mjs")];
    const env = { PATH: at("bin") };
    const { status, stdout } = spawnSync(process.execPath, words, { encoding: "utf8", env });
    expect(status).to.equal(1);
    expect(stdout).to.equal(
      "No NVIDIA GPU can be used here (No devices were found): nothing was tested.\n0 passed, 1 failed\n",
    );
  });
});
