// What attune saves loads in transformers and gives the same logits. Needs a Python with torch and transformers, named by
// PYTHON (default python3); without one the suite is pending, since no machine has to have it.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { packRows } from "../../lib/data/index.js";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import { demonstrations, someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";

const python = process.env.PYTHON || "python3";
const script = fileURLToPath(new URL("../support/transformers_logits.py", import.meta.url));
const kinds = ["llama", "qwen2", "qwen3", "mistral", "gpt2"] as const;
/** Relative L2 between two fp32 computations of the same network. */
const BAR = 1e-5;

function hasTransformers(): boolean {
  return spawnSync(python, ["-c", "import torch, transformers"]).status === 0;
}

interface Answer {
  readonly folder: string;
  readonly notes: readonly string[];
  readonly logits: readonly (readonly number[])[];
}

describe("saved models in transformers", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  const ids = someIds(40, 3);
  const whole = { prompt: ids.slice(0, 1), completions: [ids.slice(1)] };
  const batch = packRows({ data: [whole], rows: [0] });
  const ours = new Map<string, Float32Array>();
  let answers: readonly Answer[] = [];

  before(async function () {
    if (!hasTransformers()) return this.skip();
    await using engine = await createEngine({ device: "cpu", threads: 2 });
    for (const kind of kinds) {
      const source = writeTinyModel({ folder: at(kind), kind, tied: kind !== "mistral" });
      await trainAndSave(engine, source.folder, at(`${kind}-saved`));
      if (kind === "mistral") continue;
      mkdirSync(at(`${kind}-alone`));
      writeTinyGguf(at(`${kind}-alone`, "model.gguf"), source);
      await trainAndSave(engine, at(`${kind}-alone`, "model.gguf"), at(`${kind}-gguf-saved`));
    }
    writeFileSync(at("request.json"), JSON.stringify({ folders: [...ours.keys()], ids: [...ids] }));
    const output = execFileSync(python, [script, at("request.json")], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    answers = lines.map((line) => JSON.parse(line) as Answer);
  });

  async function trainAndSave(engine: Engine, path: string, folder: string): Promise<void> {
    await using model = await engine.loadModel(path);
    const rows = demonstrations(3);
    await model.step(rows, { kind: "nll", normaliser: rows.counts.targets });
    await model.update({ learningRate: 1e-2 });
    await model.save(folder);
    const { logits } = await model.forward(batch, { logits: true });
    ours.set(folder, logits ?? new Float32Array(0));
  }

  it("load without missing or unexpected weights", () => {
    expect(answers.map(({ folder }) => folder)).to.deep.equal([...ours.keys()]);
    for (const { folder, notes } of answers) expect(notes, folder).to.deep.equal([]);
  });

  it(`give the same logits to a relative L2 of ${BAR}`, () => {
    expect(answers).to.not.have.length(0);
    for (const { folder, logits } of answers) {
      // Position t predicts token t + 1; the last one has no target here.
      const theirs = logits.slice(0, -1).flat();
      const mine = ours.get(folder) ?? new Float32Array(0);
      expect(mine, folder).to.have.length(theirs.length);
      const difference = Math.hypot(...theirs.map((value, i) => value - (mine[i] ?? 0)));
      const error = difference / Math.hypot(...theirs);
      expect(error, folder).to.be.below(BAR);
      console.log(`      ${folder.split("/").at(-1)}: ${error.toExponential(1)}`);
    }
  });
});
