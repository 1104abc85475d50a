// Reward models that attune saves give the same scores in transformers (and adapters in peft): one by one, padded to a batch,
// and from text through the saved tokenizer; ours less b. Needs a Python with torch, transformers and peft, named by PYTHON
// (default python3); without one the suite is pending.

import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createEngine, type Engine, type LoadModelOptions } from "../../lib/engine/index.js";
import { relativeL2 } from "../support/oracle-compare.js";
import { someIds } from "../support/packed-rows.js";
import { scoredPairs } from "../support/reward-rows.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { writeTinyGguf } from "../support/tiny-gguf.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { TINY_EOS } from "../support/tiny-tokenizer.js";

const python = process.env.PYTHON || "python3";
const script = fileURLToPath(new URL("../support/transformers_scores.py", import.meta.url));
const kinds = ["llama", "qwen2", "qwen3", "mistral", "gpt2"] as const;
/** Relative L2 between two fp32 computations of the same network. */
const BAR = 1e-5;
const HEADS = 3;

interface Answer {
  readonly folder: string;
  readonly notes: readonly string[];
  readonly single: readonly (readonly number[])[];
  readonly batch: readonly (readonly number[])[] | null;
  readonly texts: readonly (readonly number[])[] | null;
}

/** [rows][heads] */
interface Scores {
  readonly ids: readonly (readonly number[])[];
  readonly texts: readonly (readonly number[])[];
}

describe("reward models in transformers", function () {
  this.timeout(300_000);
  const at = suiteFolder();
  // Rows of several lengths: ids as training has them, an EOS at the end.
  const rows = [9, 4, 14].map((length, i) => ({
    prompt: someIds(5 + i, i + 1),
    completion: Int32Array.of(...someIds(length, i + 9), TINY_EOS),
  }));
  const said = [
    { prompt: "Hello there", completion: " you" },
    { prompt: "Hi", completion: " and a much longer answer" },
  ];
  const ours = new Map<string, Scores>();
  let answers: readonly Answer[] = [];

  before(async function () {
    if (spawnSync(python, ["-c", "import torch, transformers, peft"]).status !== 0) return this.skip();
    await using engine = await createEngine({ device: "cpu", threads: 2 });
    const adapters: { base: string; folder: string; labels: number }[] = [];
    for (const kind of kinds) {
      const source = writeTinyModel({ folder: at(kind), kind, tied: kind !== "mistral" });
      await trainAndSave(engine, source.folder, at(`${kind}-saved`), {});
      if (kind === "qwen2" || kind === "mistral") continue;
      const adapter = at(`${kind}-adapter`);
      await trainAndSave(engine, source.folder, adapter, { adapter: { rank: 3 } });
      adapters.push({ base: source.folder, folder: adapter, labels: HEADS });
      if (kind !== "llama") continue;
      writeTinyGguf(at("model.gguf"), source);
      await trainAndSave(engine, at("model.gguf"), at("gguf-saved"), {});
    }
    const adapted = new Set(adapters.map(({ folder }) => folder));
    const folders = [...ours.keys()].filter((folder) => !adapted.has(folder));
    const request = {
      folders,
      adapters,
      texts: said.map(({ prompt, completion }) => `${prompt}${completion}<|endoftext|>`),
      ids: rows.map(({ prompt, completion }) => [...prompt, ...completion]),
    };
    writeFileSync(at("request.json"), JSON.stringify(request));
    const output = execFileSync(python, [script, at("request.json")], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = output.split("\n").filter((line) => line.startsWith("{"));
    answers = lines.map((line) => JSON.parse(line) as Answer);
  });

  async function trainAndSave(
    engine: Engine,
    path: string,
    folder: string,
    options: LoadModelOptions,
  ): Promise<void> {
    await using model = await engine.loadModel(path, { ...options, scoreHead: { heads: HEADS, seed: 3 } });
    const batch = scoredPairs(3);
    for (let i = 0; i < 3; i++) {
      await model.step(batch, { kind: "scores", form: "bradley-terry", normaliser: 3 });
      await model.update({ learningRate: 1e-2 });
    }
    const bias = [1, -2, 0.5];
    model.scoreNormalisation = { bias, mean: bias, std: bias, count: 1, dataHash: "", unitStd: false };
    await model.save(folder);
    if ("adapter" in options) await model.saveMerged(`${folder}-merged`);
    const less = async (list: typeof rows | typeof said) => {
      const { heads } = await model.scoreAll(list);
      return list.map((_, row) => heads.map((head, k) => (head[row] ?? Number.NaN) - (bias[k] ?? 0)));
    };
    const scores = { ids: await less(rows), texts: await less(said) };
    ours.set(folder, scores);
    if ("adapter" in options) ours.set(`${folder}-merged`, scores);
  }

  function compare(
    what: (answer: Answer) => readonly (readonly number[])[] | null,
    key: keyof Scores,
  ): number {
    let compared = 0;
    for (const answer of answers) {
      const theirs = what(answer);
      // The base of an adapter is a language model without padding.
      if (theirs === null) continue;
      const error = relativeL2(theirs.flat(), ours.get(answer.folder)?.[key].flat() ?? []);
      expect(theirs.flat(), answer.folder).to.have.length(HEADS * theirs.length);
      expect(error, answer.folder).to.be.below(BAR);
      console.log(`      ${answer.folder.split("/").at(-1)}: ${error.toExponential(1)}`);
      compared += 1;
    }
    return compared;
  }

  it("load without missing or unexpected weights", () => {
    expect(answers.map(({ folder }) => folder).sort()).to.deep.equal([...ours.keys()].sort());
    for (const { folder, notes } of answers) expect(notes, folder).to.deep.equal([]);
  });

  it("score rows one by one as we do, less b", () => {
    expect(compare(({ single }) => single, "ids")).to.equal(ours.size);
  });

  it("score rows padded to a batch as we do, less b", () => {
    expect(compare(({ batch }) => batch, "ids")).to.equal(ours.size - 3);
  });

  it("score texts through the saved tokenizer as we do, less b", () => {
    expect(compare(({ texts }) => texts, "texts")).to.equal(ours.size - 3);
  });
});
