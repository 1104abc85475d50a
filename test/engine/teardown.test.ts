// Processes and workers that end in the middle of native work: no crash, the exit code kept, nothing kept alive.

import { expect } from "chai";
import { demonstrations } from "../support/packed-rows.js";
import { runChild } from "../support/run-child.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const run = (child: string, ...args: string[]) => runChild(child, args);

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
