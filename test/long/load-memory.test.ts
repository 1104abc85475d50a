// Loading the real model: how long it takes (shown), and how much memory weights and tokenizer take in a process of their own.
// Pending where the model is not there.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { sharedPath } from "../support/oracle-folder.js";

const file = sharedPath("models", "smollm2-135m-instruct", "model.Q4_1.gguf");
const child = fileURLToPath(new URL("children/load-memory.ts", import.meta.url));

interface Figures {
  readonly milliseconds: number;
  readonly weights: number;
  readonly grown: number;
  readonly tokenizer: number;
  readonly tokens: number;
}

describe("loading the real model", () => {
  for (const dtype of ["fp32", "bf16"]) {
    describe(dtype, () => {
      let figures: Figures;
      before(async function () {
        if (!existsSync(file)) return this.skip();
        const run = () =>
          promisify(execFile)(process.execPath, ["--expose-gc", "--import=tsx", child, file, dtype]);
        // The first run only brings the file into the page cache.
        await run();
        figures = JSON.parse((await run()).stdout) as Figures;
        console.log(`        ${JSON.stringify(figures)}`);
      });

      it("takes the weights in their training type and at most 20 % more", () => {
        expect(figures.weights).to.be.above(2 * 134e6);
        expect(figures.grown).to.be.within(0.9 * figures.weights, 1.2 * figures.weights);
      });

      it("adds at most 80 MB for the tokenizer", () => {
        expect(figures.tokens).to.be.above(0);
        expect(figures.tokenizer).to.be.below(80e6);
      });
    });
  }
});
