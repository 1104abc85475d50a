// `attune doctor` says what is there and survives what is broken.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect } from "chai";
import type { DoctorReport } from "../../lib/cli/doctor-report.js";
import { simulatedCuda, withEnvironment } from "../support/cuda-library.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { commandLine } from "./command-line.js";

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string };

describe("attune doctor", () => {
  const at = suiteFolder();
  const { ATTUNE_ADDON: addon } = process.env;
  afterEach(() => {
    // Programs that later tests start need the one that was chosen.
    if (addon === undefined) delete process.env.ATTUNE_ADDON;
    else process.env.ATTUNE_ADDON = addon;
  });

  const report = async () => {
    const { code, stdout } = await commandLine(["doctor", "--json"]);
    return { code, report: JSON.parse(stdout) as DoctorReport };
  };

  it("lists versions, instruction sets, threads, memory, disk and packages", async () => {
    const { code, stdout } = await commandLine(["doctor"]);
    expect(code).to.equal(0);
    for (const text of [`attune ${version}`, "native addon: ok", "scalar", "ready"]) {
      expect(stdout).to.include(text);
    }
    for (const line of [
      /^threads: \d/m,
      /^memory: .* free/m,
      /^disk: .* free in /m,
      /^hyparquet .*installed/m,
    ]) {
      expect(stdout).to.match(line);
    }
    expect(stdout, "all sizes are in one unit").to.not.match(/[KMG]iB/);
  });

  it("gives the same as JSON", async () => {
    const { report: found } = await report();
    expect(found.isas.map(({ name }) => name)).to.include("scalar");
    expect(found.addon).to.deep.include({ stage: "ok" });
    expect(found.memory.total).to.be.above(found.memory.free);
  });

  it("computes on the GPU, and says what the environment asks of it that nobody knows", async () => {
    const cudaOf = async (environment: Readonly<Record<string, string>>) => {
      const { code, report: found } = await withEnvironment(
        { ATTUNE_CUDA: simulatedCuda, ...environment },
        report,
      );
      expect(code).to.equal(0);
      return found.backends.find(({ name }) => name === "cuda");
    };
    expect(await cudaOf({})).to.deep.include({ stage: "ok" });
    const asked = await cudaOf({ ATTUNE_CUDA_GEMM: "fast" });
    expect(asked?.stage).to.equal("probe");
    expect(asked?.reason).to.include('ATTUNE_CUDA_GEMM to be one of auto, mma, cublaslt but received "fast"');
    expect((await cudaOf({ ATTUNE_SIMT: "launch=209" }))?.reason).to.include("not compiled for this GPU");
  });

  it("lists a GPU that cannot be used beside one that can, each with its number", async () => {
    const environment = { ATTUNE_CUDA: simulatedCuda, ATTUNE_SIMT: "devices=2 code@1=209" };
    const { code, stdout } = await withEnvironment(environment, () => commandLine(["doctor"]));
    expect(code).to.equal(0);
    expect(stdout).to.match(/^cuda: ok \(simt has compute capability 9.0\)$/m);
    expect(stdout).to.match(/^ {2}cuda:1: simt, compute capability 9.0, driver for CUDA/m);
    expect(stdout).to.match(/^ {2}cuda:0 cannot be used: .*was not compiled for this GPU/m);
    expect(stdout).to.not.match(/^ {2}cuda:0: /m);
  });

  it("fails with reasons where the addon cannot be loaded", async () => {
    process.env.ATTUNE_ADDON = at("gone.node");
    const { code, stdout } = await commandLine(["doctor"]);
    expect(code).to.equal(1);
    expect(stdout)
      .to.include("native addon: failed")
      .and.include(at("gone.node"))
      .and.include("ATTUNE_ADDON_LOAD");
  });

  it("lives on when the addon crashes, and says how it ended", async () => {
    writeFileSync(at("crash.cpp"), "#include <csignal>\nstatic const int crashed = raise(SIGILL);\n");
    execFileSync("c++", ["-shared", "-fPIC", "-o", at("crash.node"), at("crash.cpp")]);
    process.env.ATTUNE_ADDON = at("crash.node");
    const { code, report: found } = await report();
    expect(code).to.equal(1);
    expect(found.addon).to.deep.include({ stage: "crashed" });
    expect(found.addon.reason).to.include("SIGILL");
  });
});
