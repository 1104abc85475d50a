// The training commands from end to end on a tiny model: what they print, write and answer to bad input.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { demonstrations, type Place, pairs, temporaryPlace } from "../train/training-rows.js";
import { commandLine } from "./command-line.js";

describe("the training commands", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  function rows(items: readonly unknown[], name = "rows.jsonl"): string {
    const path = join(place.folder, name);
    writeFileSync(
      path,
      items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join("\n"),
    );
    return path;
  }
  const args = (command: string, data: string, ...more: string[]) => [
    command,
    "--model",
    place.model,
    "--data",
    data,
    "--output",
    place.output(),
    "--threads",
    "1",
    ...more,
  ];

  it("sft trains, shows each step on standard error and the summary on standard output", async () => {
    const { code, stdout, stderr } = await commandLine(
      args("sft", rows(demonstrations), "--batch-size", "2"),
    );
    expect(code).to.equal(0);
    expect(stderr).to.include("sft: ").and.include("5 of 5 rows, 3 steps").and.include("step 3/3  loss ");
    expect(stdout)
      .to.include("first step")
      .and.include(`model: ${join(place.output(), "model")}`);
  });

  it("dpo leaves the folder that design and docs promise", async () => {
    const { code } = await commandLine(args("dpo", rows(pairs)));
    expect(code).to.equal(0);
    expect(readdirSync(place.output()).toSorted()).to.deep.equal([
      "config.yaml",
      "metrics.jsonl",
      "model",
      "reference",
      "report.html",
      "run.json",
    ]);
    expect(readdirSync(join(place.output(), "model"))).to.include.members([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
  });

  it("records the SHA-256 of the data, versions and machine", async () => {
    const data = rows(demonstrations);
    await commandLine(args("sft", data, "--max-steps", "1"));
    const hash = createHash("sha256").update(readFileSync(data)).digest("hex");
    expect(place.record().hashes).to.include({ [data]: hash });
    expect(place.record()).to.include.keys("versions", "machine", "seed");
  });

  it("prints one JSON object with --json", async () => {
    const { stdout } = await commandLine(args("dpo", rows(pairs), "--json", "--max-steps", "1"));
    expect(JSON.parse(stdout)).to.deep.include({ status: "done", steps: 1, output: place.output() });
  });

  it("repeats a run from the config.yaml that it wrote", async () => {
    await commandLine(args("dpo", rows(pairs), "--learning-rate", "1e-4", "--no-shuffle"));
    const config = join(place.output(), "config.yaml");
    const { code } = await commandLine(["dpo", "--config", config, "--output", place.output("again")]);
    expect(code).to.equal(0);
    const losses = (name: string) => place.metrics(name).map(({ loss }) => loss);
    expect(losses("again")).to.deep.equal(losses("run"));
  });

  it("finishes the step and saves at the first Ctrl-C, and exits with 130", async () => {
    let interrupted = false;
    const { code, stderr } = await commandLine(args("sft", rows(demonstrations), "--epochs", "500"), {
      onProgress(text, interrupt) {
        if (interrupted || !text.includes("step 2/")) return;
        interrupted = true;
        interrupt();
      },
    });
    expect(code).to.equal(130);
    expect(stderr).to.include("Ctrl-C again quits at once");
    expect(place.record()).to.deep.include({ status: "interrupted" });
    expect(existsSync(join(place.output(), "model", "model.safetensors"))).to.equal(true);
  });

  it("quits at once at the second Ctrl-C", async () => {
    let asked = 0;
    const { quits } = await commandLine(args("sft", rows(demonstrations), "--epochs", "500"), {
      onProgress(text, interrupt) {
        // The first interrupt writes its note, which calls this again.
        if (!text.includes("step 2/") || asked === 2) return;
        asked += 1;
        interrupt();
      },
    });
    expect(quits).to.deep.equal([130]);
  });

  const good = { prompt: "a?", completion: " b" };
  const bad: readonly [string, (place: Place) => string[], number, string, string][] = [
    ["a missing data file", (p) => args("sft", join(p.folder, "no.jsonl")), 2, "ATTUNE_FILE", "no.jsonl"],
    ["an empty data file", () => args("sft", rows([])), 2, "ATTUNE_DATA", "rows.jsonl"],
    ["broken JSON", () => args("sft", rows([good, '{"prompt": '])), 2, "ATTUNE_DATA_JSON", "rows.jsonl:2"],
    [
      "a row without its column",
      () => args("dpo", rows([{ prompt: "a", chosen: "b" }])),
      2,
      "ATTUNE_DATA_COLUMN",
      '"rejected"',
    ],
    ["demonstrations for dpo", () => args("dpo", rows([good])), 2, "ATTUNE_DATA_COLUMN", "preference rows"],
    [
      "no row left",
      () => args("dpo", rows([{ prompt: "a", chosen: "b", rejected: "b" }])),
      2,
      "ATTUNE_NO_ROWS",
      "1: chosen and rejected are identical",
    ],
    [
      "a device that is not there",
      () => args("sft", rows([good]), "--device", "cuda"),
      1,
      "ATTUNE_BACKEND",
      "CUDA",
    ],
    [
      "a model that is missing",
      (p) => ["sft", "--model", join(p.folder, "none"), "--data", rows([good]), "--output", p.output()],
      2,
      "ATTUNE_FILE",
      "none",
    ],
    [
      "a folder without a model",
      (p) => ["sft", "--model", p.folder, "--data", rows([good]), "--output", p.output()],
      2,
      "ATTUNE_",
      "model.safetensors",
    ],
    [
      "an output below a file",
      (p) => ["sft", "--model", p.model, "--data", rows([good]), "--output", join(rows([good]), "run")],
      2,
      "ATTUNE_OUTPUT",
      "rows.jsonl",
    ],
  ];
  for (const [what, line, exit, errorCode, text] of bad) {
    it(`answers ${what} with one message, and writes nothing`, async () => {
      const { code, stdout, stderr } = await commandLine(line(place));
      expect(stderr).to.match(/^attune: .*\[ATTUNE_[A-Z_]+\]\n$/s);
      expect(stderr).to.include(errorCode).and.include(text);
      expect(code).to.equal(exit);
      expect(stdout).to.equal("");
      expect(existsSync(place.output())).to.equal(false);
    });
  }

  it("refuses a cache that cannot be written before anything is made", async () => {
    const data = rows(pairs);
    const { code, stderr } = await commandLine(args("dpo", data, "--cache", join(data, "cache")));
    expect(code).to.equal(2);
    expect(stderr).to.include("Expected cache to be a folder").and.include("[ATTUNE_OUTPUT]");
    expect(existsSync(place.output())).to.equal(false);
  });

  it("refuses an output that already holds a run, and leaves it alone", async () => {
    mkdirSync(place.output());
    writeFileSync(join(place.output(), "run.json"), "{}");
    const { code, stderr } = await commandLine(args("sft", rows([good])));
    expect(code).to.equal(2);
    expect(stderr).to.include("already holds a run").and.include("ATTUNE_OUTPUT_EXISTS");
    expect(readdirSync(place.output())).to.deep.equal(["run.json"]);
  });

  it("tolerates as many bad rows as it is told, and counts them", async () => {
    const data = rows([good, "{", good]);
    expect((await commandLine(args("sft", data, "--skip-bad-rows", "1"))).code).to.equal(0);
    expect(place.record().rows).to.deep.include({ read: 3, kept: 2, bad: 1 });
  });
});
