// Processes and workers that end while kernels run on a GPU, here one whose kernels take long.

import { writeFileSync } from "node:fs";
import { expect } from "chai";
import { runProgram } from "../cli/program-process.js";
import { runChild } from "../support/run-child.js";
import { withMachine } from "../support/simulated-gpu.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const TIMES = 4;
// Two rows of a few tokens, each kernel of which takes its time.
const ROWS = "2";
const slowly = <Result>(work: () => Promise<Result>) => withMachine("slow=10", work);

describe("ending in the middle of a kernel", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  before(() => writeTinyModel({ folder: at("tiny") }));

  it(`process.exit() keeps its code, ${TIMES} times`, () =>
    slowly(async () => {
      for (let i = 0; i < TIMES; i++) {
        const ended = await runChild("exit-in-step", [at("tiny"), String(i * 40), ROWS]);
        expect(ended).to.deep.equal({ code: 7, signal: null, output: "on cuda\n", errors: "" });
      }
    }));

  it(`worker.terminate() crashes nothing, ${TIMES} times in one process`, () =>
    slowly(async () => {
      const ended = await runChild("terminate-in-step", [at("tiny"), String(TIMES), ROWS]);
      const output = `terminated ${TIMES}, then a loss of some value\n`;
      expect(ended).to.deep.equal({ code: 0, signal: null, output, errors: "" });
    }));

  it("Ctrl-C ends the process at once", () =>
    slowly(async () => {
      const started = process.hrtime.bigint();
      const ended = await runChild("exit-in-step", [at("tiny"), "60000", ROWS], (child) =>
        child.kill("SIGINT"),
      );
      expect(ended).to.deep.equal({ code: null, signal: "SIGINT", output: "on cuda\n", errors: "" });
      expect(Number(process.hrtime.bigint() - started) / 1e9).to.be.below(30);
    }));

  it("Ctrl-C saves what a training run has, and exits with 130", () =>
    withMachine("devices=1", async () => {
      const rows = [{ prompt: "a?", completion: " one" }];
      writeFileSync(at("rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
      const words = ["sft", "--device", "cuda", "--model", at("tiny"), "--data", at("rows.jsonl")];
      let sent = false;
      const { code, signal, stderr } = await runProgram(
        [...words, "--output", at("run"), "--epochs", "100000"],
        {
          onText: (text, child) => {
            if (sent || !text.includes("step 2/")) return;
            sent = true;
            child.kill("SIGINT");
          },
        },
      );
      expect([code, signal], stderr).to.deep.equal([130, null]);
    }));
});
