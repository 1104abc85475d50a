// Run folders as reports read them: whole ones, torn ones, folders of folders, and what is no run.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { readRuns, shortNames } from "../../lib/report/read-run.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { dpoLines, reliabilityBins, writeRunFolder } from "./run-folders.js";

describe("a run that a report reads", () => {
  const at = suiteFolder();
  const read = async (folder: string) => {
    const [run] = await readRuns([folder]);
    if (run === undefined) throw new Error("no run");
    return run;
  };

  it("has its lines by split, evaluations without eval_", async () => {
    const run = await read(
      writeRunFolder({ folder: at("whole"), lines: dpoLines({ steps: 4, evalEvery: 2 }) }),
    );
    expect(run.train.steps).to.deep.equal([1, 2, 3, 4]);
    expect(run.train.values.get("num_tokens")).to.deep.equal([3000, 6000, 9000, 12000]);
    expect(run.evaluation.steps).to.deep.equal([0, 2, 4]);
    expect([...run.evaluation.values.keys()]).to.deep.equal(["loss", "rewards/accuracies", "eval_ms"]);
    expect(run.warnings).to.deep.equal([]);
  });

  it("has its settings, rows, machine and end", async () => {
    const run = await read(at("whole"));
    expect(run.settings).to.deep.include({ model: "path/to/model", beta: "0.1" });
    expect(run.summary).to.deep.include({ command: "dpo", status: "done", stepsPlanned: 4, seconds: 718 });
    expect(run.summary.rows.dropped).to.deep.equal({ too_long: 8 });
  });

  it("keeps a gap where a value is not finite, and counts it", async () => {
    const lines = [
      { step: 1, split: "train", loss: 1 },
      { step: 2, split: "train", loss: null },
      { step: 3, split: "train" },
      { step: 4, split: "train", loss: "NaN" },
    ];
    const run = await read(writeRunFolder({ folder: at("gaps"), lines }));
    expect(run.train.values.get("loss")).to.deep.equal([1, Number.NaN, Number.NaN, Number.NaN]);
    expect(run.train.notFinite.get("loss")).to.equal(2);
  });

  it("takes the later line of a step, and sorts by steps", async () => {
    const lines = [3, 1, 3].map((step, i) => ({ step, split: "train", loss: i }));
    const run = await read(writeRunFolder({ folder: at("again"), lines }));
    expect([run.train.steps, run.train.values.get("loss")]).to.deep.equal([
      [1, 3],
      [1, 2],
    ]);
  });

  it("passes over a torn line and says which", async () => {
    const folder = writeRunFolder({ folder: at("torn"), lines: dpoLines({ steps: 2 }) });
    appendFileSync(at("torn", "metrics.jsonl"), '{"step":3,"spl');
    const run = await read(folder);
    expect(run.train.steps).to.deep.equal([1, 2]);
    expect(run.warnings).to.deep.equal(["metrics.jsonl:3 is no JSON object and was passed over"]);
  });

  it("is read without run.json, config.yaml and any line", async () => {
    mkdirSync(at("bare"));
    writeFileSync(at("bare", "metrics.jsonl"), "");
    const run = await read(at("bare"));
    expect(run.summary.status).to.equal("unknown");
    expect(run.warnings.join()).to.include("run.json");
  });

  it("says when config.yaml is broken", async () => {
    const folder = writeRunFolder({ folder: at("broken"), lines: [] });
    writeFileSync(at("broken", "config.yaml"), "a: [1");
    expect((await read(folder)).warnings.join()).to.include("config.yaml cannot be read");
  });

  it("tells damaged files before damaged lines, and counts the lines beyond five", async () => {
    const folder = writeRunFolder({ folder: at("wrecked"), lines: [] });
    writeFileSync(join(folder, "run.json"), '{"formatVersion": 1, "sta');
    writeFileSync(join(folder, "metrics.jsonl"), "torn\n".repeat(8));
    const { warnings } = await read(folder);
    expect(warnings[0]).to.include("run.json is missing or no JSON object");
    expect(warnings[1]).to.include("metrics.jsonl:1 ");
    expect(warnings.slice(6)).to.deep.equal([
      "metrics.jsonl: 3 more lines are no JSON objects and were passed over",
    ]);
  });

  it("has evaluations beside it, with figures and reliability curves wherever they stand", async () => {
    const calibration = { bins: reliabilityBins(), ece: 0.07, brier: 0.2, count: 262 };
    const evaluations = {
      "eval.json": { pairs: { accuracy: 0.6, calibration }, rows: [1, 2] },
      "list.json": [1],
    };
    const run = await read(writeRunFolder({ folder: at("evaluated"), lines: [], evaluations }));
    expect(run.evaluations.map(({ file }) => file)).to.deep.equal(["eval.json"]);
    expect(run.evaluations[0]?.figures[0]).to.deep.equal({ name: "pairs / accuracy", value: 0.6 });
    expect(run.evaluations[0]?.reliability[0]).to.deep.include({ name: "pairs", ece: 0.07 });
    expect(run.evaluations[0]?.reliability[0]?.bins).to.have.length(10);
  });

  it("has the first figures of an evaluation, however many others stand before them", async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x${i}`, i]));
    const evaluation = {
      slices: many,
      judged: { accuracy: 0.7, accuracy_interval: { low: 0.6, high: 0.8 } },
      kl: { kl: { mean: 2, standardError: 0.1 } },
      bestOf: { n: 4, best: { mean: 1.5, interval: { low: 1, high: 2 } } },
    };
    const evaluations = { "e.json": evaluation };
    const run = await read(writeRunFolder({ folder: at("many"), lines: [], evaluations }));
    const [found] = run.evaluations;
    expect(
      found?.key.map(({ title, value, low, deviation }) => [title, value, low, deviation]),
    ).to.deep.equal([
      ["Accuracy", 0.7, 0.6, undefined],
      ["KL to the reference", 2, undefined, 0.1],
      ["Score of the best of 4", 1.5, 1, undefined],
    ]);
    expect([found?.figures.length, found?.omitted]).to.deep.equal([200, 109]);
  });

  it("has the reliability of groups of rows apart, under their own names", async () => {
    const calibration = { bins: reliabilityBins(), ece: 0.1 };
    const judged = { judged: { calibration } };
    const evaluations = { "e.json": { ...judged, slices: { source: { web: judged } } } };
    const run = await read(writeRunFolder({ folder: at("sliced"), lines: [], evaluations }));
    const names = run.evaluations[0]?.reliability.map(({ name, group }) => [name, group]);
    expect(names).to.deep.equal([
      ["", false],
      ["source / web", true],
    ]);
  });

  it("stands with the others of a folder, in the order in which they began", async () => {
    const started = (date: string) => ({ started: date });
    writeRunFolder({ folder: at("several", "a"), lines: [], record: started("2026-02-02T00:00:00Z") });
    writeRunFolder({ folder: at("several", "b"), lines: [], record: started("2026-01-01T00:00:00Z") });
    mkdirSync(at("several", "model"));
    expect((await readRuns([at("several")])).map(({ name }) => name)).to.deep.equal(["b", "a"]);
  });

  const missing: readonly [string, () => string, string][] = [
    ["does not exist", () => at("nowhere"), "it does not exist"],
    ["is a file", () => at("whole", "run.json"), "it is a file"],
    ["holds no run", () => at("several", "model"), "there is no metrics.jsonl in it"],
  ];
  for (const [what, folder, text] of missing) {
    it(`is refused when its folder ${what}`, async () => {
      const error = await failureOf(() => readRuns([folder()]));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_FILE", 2]);
      expect(error.message).to.include(text).and.include("--output of a training command");
    });
  }

  it("is read once when it is named twice", async () => {
    expect(await readRuns([at("whole"), at("whole")])).to.have.length(1);
  });
});

describe("short names of runs", () => {
  it("are the last parts of their paths", () => {
    expect(shortNames(["/a/x", "/b/y"])).to.deep.equal(["x", "y"]);
  });

  it("are longer where that does not tell them apart", () => {
    expect(shortNames(["/a/run", "/b/run"])).to.deep.equal(["a/run", "b/run"]);
  });
});
