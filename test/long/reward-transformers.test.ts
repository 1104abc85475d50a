// What reward() trains and normalises: transformers' scores plus b are ours, of a whole model and an ensemble. Needs a Python
// with torch, transformers and peft, named by PYTHON (default python3); without one the suite is pending.

import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { reward } from "../../lib/train/index.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { tastePairs } from "../train/judgements.js";

const python = process.env.PYTHON || "python3";
const script = fileURLToPath(new URL("../support/transformers_scores.py", import.meta.url));
/** Relative L2 between two fp32 computations of the same network. */
const BAR = 1e-5;

describe("a trained reward model in transformers", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  const rows = tastePairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen }));
  const runs = { mean: { heads: 1, normalise: "mean" }, unit: { heads: 3, normalise: "unit" } } as const;

  before(function () {
    if (spawnSync(python, ["-c", "import torch, transformers, peft"]).status !== 0) this.skip();
  });

  for (const [name, options] of Object.entries(runs))
    it(`scores as we do, less b: normalise ${name}`, async () => {
      const model = at(name);
      writeTinyModel({ folder: model, kind: "llama" });
      const output = at(`${name}-run`);
      const shared = { model, data: tastePairs, output, epochs: 3, batchSize: 4, learningRate: 1e-3 };
      await reward({ ...shared, ...options }).result;
      const folder = join(output, "model");
      await using engine = await createEngine({ threads: 1 });
      await using judge = await engine.loadModel(folder);
      const { heads } = await judge.scoreAll(rows);
      const bias = judge.scoreNormalisation?.bias ?? [];
      expect(bias).to.have.length(options.heads);
      for (const value of bias) expect(Math.abs(value)).to.be.above(1e-3);
      const texts = rows.map(({ prompt, completion }) => `${prompt}${completion}<|endoftext|>`);
      const request = at(`${name}.json`);
      writeFileSync(request, JSON.stringify({ folders: [folder], adapters: [], texts, ids: [[1, 2]] }));
      const printed = execFileSync(python, [script, request], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      const line = printed.split("\n").find((text) => text.startsWith("{")) ?? "{}";
      const theirs = (JSON.parse(line) as { readonly texts: readonly (readonly number[])[] }).texts;
      const plusBias = theirs.flatMap((scores) => scores.map((score, head) => score + (bias[head] ?? 0)));
      const ours = rows.flatMap((_, row) => heads.map((scores) => scores[row] ?? Number.NaN));
      expect(plusBias).to.have.length(ours.length);
      expect(relativeL2(plusBias, ours)).to.be.below(BAR);
    });
});
