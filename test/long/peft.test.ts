// Adapters cross over to peft and back: the same logits whoever made them, and merged models in transformers. Needs a Python
// with torch, transformers and peft, named by PYTHON (default python3); without one the suite is pending.

import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { packRows } from "../../lib/data/index.js";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { demonstrations, someIds } from "../support/packed-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const python = process.env.PYTHON || "python3";
const script = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const kinds = ["llama", "qwen3", "gpt2"] as const;
/** Relative L2 between two fp32 computations of the same network. */
const BAR = 1e-5;

interface Answer {
  readonly folder: string;
  readonly notes: readonly string[];
  readonly logits: readonly (readonly number[])[];
}

function answersOf(name: string, request: string): readonly Answer[] {
  const output = execFileSync(python, [script(name), request], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Answer);
}

describe("adapters in peft", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  const ids = someIds(40, 3);
  const batch = packRows({ data: [{ prompt: ids.slice(0, 1), completions: [ids.slice(1)] }], rows: [0] });
  /** Logits by folder. */
  const ours = new Map<string, Float32Array>();
  let inPeft: readonly Answer[] = [];
  let merged: readonly Answer[] = [];
  const made: { base: string; folder: string; config: object }[] = [];

  async function logits(model: Model): Promise<Float32Array> {
    return (await model.forward(batch, { logits: true })).logits ?? new Float32Array(0);
  }

  async function trainAndSave(engine: Engine, base: string, folder: string, rsLora: boolean): Promise<void> {
    await using model = await engine.loadModel(base, { adapter: { rank: 5, alpha: 7, rsLora } });
    const rows = demonstrations(3);
    for (let i = 0; i < 3; i++) {
      await model.step(rows, { kind: "nll", normaliser: rows.counts.targets });
      await model.update({ learningRate: 3e-2 });
    }
    await model.save(folder);
    await model.saveMerged(`${folder}-merged`);
    ours.set(folder, await logits(model));
    ours.set(`${folder}-merged`, await logits(model));
  }

  before(async function () {
    if (spawnSync(python, ["-c", "import torch, transformers, peft"]).status !== 0) return this.skip();
    await using engine = await createEngine({ device: "cpu", threads: 2 });
    const load: { base: string; folder: string }[] = [];
    for (const kind of kinds) {
      const { folder: base } = writeTinyModel({ folder: at(kind), kind });
      load.push({ base, folder: at(`${kind}-ours`) });
      await trainAndSave(engine, base, at(`${kind}-ours`), kind === "qwen3");
      const target_modules = kind === "gpt2" ? ["c_attn", "c_proj"] : ["q_proj", "v_proj", "down_proj"];
      const config = { r: 3, lora_alpha: 6, use_rslora: kind === "llama", target_modules };
      made.push({ base, folder: at(`${kind}-theirs`), config });
      made.push({ base, folder: at(`${kind}-all`), config: { ...config, target_modules: "all-linear" } });
    }
    writeFileSync(at("request.json"), JSON.stringify({ make: made, load, ids: [...ids] }));
    inPeft = answersOf("peft_logits.py", at("request.json"));
    const folders = [...ours.keys()].filter((folder) => folder.endsWith("-merged"));
    writeFileSync(at("merged.json"), JSON.stringify({ folders, ids: [...ids] }));
    merged = answersOf("transformers_logits.py", at("merged.json"));
    for (const { base, folder } of made) {
      await using model = await engine.loadModel(base, { adapter: folder });
      ours.set(folder, await logits(model));
    }
  });

  function compare(answers: readonly Answer[], count: number): void {
    expect(answers).to.have.length(count);
    for (const { folder, notes, logits } of answers) {
      expect(notes, folder).to.deep.equal([]);
      // Position t predicts token t + 1; the last one has no target here.
      const error = relativeL2(ours.get(folder) ?? [], logits.slice(0, -1).flat());
      expect(error, folder).to.be.below(BAR);
      console.log(`      ${folder.split("/").at(-1)}: ${error.toExponential(1)}`);
    }
  }

  it("that attune trained have the same logits there", () => {
    compare(
      inPeft.filter(({ folder }) => folder.endsWith("-ours")),
      kinds.length,
    );
  });

  it("that peft made have the same logits here", () => {
    compare(
      inPeft.filter(({ folder }) => made.some((one) => one.folder === folder)),
      2 * kinds.length,
    );
  });

  it("that attune merged are whole models in transformers with the same logits", () => {
    compare(merged, kinds.length);
  });
});
