// Processes and workers that end in the middle of native work: no crash, the exit code kept, nothing kept alive.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { demonstrations } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

function run(child: string, ...args: string[]): Promise<Ended> {
  const file = fileURLToPath(new URL(`children/${child}.ts`, import.meta.url));
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, ["--expose-gc", "--import=tsx", file, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    started.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
    });
    started.stderr.on("data", (chunk: Buffer) => {
      errors += chunk;
    });
    started.on("error", reject);
    started.on("close", (code, signal) => resolve({ code, signal, output, errors }));
  });
}

const TIMES = 20;

describe("ending in the middle of native work", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  before(() => {
    // Large enough that a step takes a second or so.
    writeTinyModel({ folder: at("wide"), width: 256, heads: 4, layers: 6, mlpWidth: 1024 });
  });

  it(`process.exit() keeps its code, ${TIMES} times`, async () => {
    for (let i = 0; i < TIMES; i += 2) {
      const ended = await Promise.all([
        run("exit-in-step", at("wide"), String(i * 3)),
        run("exit-in-step", at("wide"), String(i * 3 + 3)),
      ]);
      for (const { code, signal, errors } of ended)
        expect({ code, signal, errors }).to.deep.equal({ code: 7, signal: null, errors: "" });
    }
  });

  it(`worker.terminate() crashes nothing, ${TIMES} times in one process`, async () => {
    const { code, signal, output, errors } = await run("terminate-in-step", at("wide"), String(TIMES));
    expect({ code, signal, errors }).to.deep.equal({ code: 0, signal: null, errors: "" });
    expect(output.trim()).to.equal(`terminated ${TIMES}, then a loss of some value`);
  });

  it("an idle process ends by itself, a busy one waits for its job", async () => {
    const { code, output, errors } = await run("idle", at("wide"));
    expect({ code, errors }).to.deep.equal({ code: 0, errors: "" });
    expect(output.trim()).to.equal(`evaluated ${demonstrations(60, 60, 60).counts.targets}`);
  });

  for (const way of ["dispose", "forget"]) {
    it(`25 models that were trained leave no memory behind (${way})`, async () => {
      // Weights, gradients and moments of one model are 80 MiB.
      const { code, output, errors } = await run("memory-growth", at("wide"), way);
      expect({ code, errors }).to.deep.equal({ code: 0, errors: "" });
      expect(Number(output)).to.be.below(40);
    });
  }
});
