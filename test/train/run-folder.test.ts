// The folder of a run: what it refuses, what it holds at which moment.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { fail } from "../../lib/errors/index.js";
import { checkFreeSpace } from "../../lib/train/output-checks.js";
import { RunFolder, type RunStart } from "../../lib/train/run-folder.js";
import { checkOutput } from "../../lib/train/taken-output.js";
import { failureOf } from "../errors/expect-failure.js";

const start: RunStart = {
  command: "sft",
  versions: { attune: "0" },
  machine: "here",
  seed: 7,
  hashes: { "rows.jsonl": "ab" },
  rows: { read: 3, kept: 2 },
  stepsPlanned: 5,
};

describe("a run's folder", () => {
  let parent = "";
  let folder = "";
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "attune-run-"));
    folder = join(parent, "deep", "run");
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  const create = () => RunFolder.create({ folder, clock: () => new Date(0) }, start, "epochs: 1\n");
  const record = () => JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as Record<string, unknown>;

  it("is not made by the check", async () => {
    await checkOutput(folder);
    expect(existsSync(join(parent, "deep"))).to.equal(false);
  });

  for (const name of ["run.json", "metrics.jsonl", "config.yaml", "checkpoints", "model"]) {
    it(`is refused when it already holds ${name}`, async () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), "");
      const error = await failureOf(() => checkOutput(folder));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT_EXISTS", 2]);
      expect(error.message).to.include(folder).and.include(name);
    });
  }

  it("is refused on a disk without room for the model, with both figures", async () => {
    const asked: string[] = [];
    const free = async (path: string) => {
      asked.push(path);
      return 1e9;
    };
    const what = "the trained model";
    await checkFreeSpace({ folder, bytes: 1e9, what, free });
    const error = await failureOf(() => checkFreeSpace({ folder, bytes: 1.2e9, what, free }));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(error.message).to.include("1.20 GB").and.include("1.00 GB").and.include(folder);
    expect(asked).to.deep.equal([parent, parent]);
    const few = async () => 1500;
    const small = await failureOf(() => checkFreeSpace({ folder, bytes: 2.34e6, what, free: few }));
    expect(small.message).to.include("2.3 MB").and.include("1.5 KB");
  });

  it("may exist already when it holds no run", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "notes.txt"), "");
    await checkOutput(folder);
  });

  it("is refused below a file", async () => {
    writeFileSync(join(parent, "deep"), "");
    const error = await failureOf(() => checkOutput(folder));
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(error.message).to.include("is a file");
  });

  it("leaves nothing behind when one of its files cannot be written", async () => {
    // A folder in the place of run.json: the last of the three files fails.
    mkdirSync(join(folder, "run.json"), { recursive: true });
    const error = await failureOf(create);
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT", 2]);
    expect(readdirSync(folder)).to.deep.equal(["run.json"]);
    expect(error.message.match(/Cannot write/g)).to.have.length(1);
  });

  it("takes back the parents that it made when it cannot be made itself", async () => {
    const error = await failureOf(() =>
      RunFolder.create({ folder: join(folder, "x".repeat(300)), clock: () => new Date(0) }, start, ""),
    );
    expect(error.code).to.equal("ATTUNE_OUTPUT");
    expect(readdirSync(parent)).to.deep.equal([]);
  });

  it("goes to one of two runs that begin at once, and the other leaves it alone", async () => {
    const first = await create();
    const error = await failureOf(() =>
      RunFolder.create({ folder, clock: () => new Date(0) }, start, "epochs: 2\n"),
    );
    expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OUTPUT_EXISTS", 2]);
    expect(readFileSync(join(folder, "config.yaml"), "utf8")).to.equal("epochs: 1\n");
    first.finish("done", 5);
  });

  it("says running from the start, with the counts of rows", async () => {
    const run = await create();
    expect(record()).to.deep.include({
      status: "running",
      seed: 7,
      stepsDone: 0,
      rows: { read: 3, kept: 2 },
    });
    run.finish("done", 5);
  });

  it("holds whole lines of metrics while the run goes on", async () => {
    const run = await create();
    run.metrics.write({ step: 1, loss: 0.5 });
    expect(readFileSync(join(folder, "metrics.jsonl"), "utf8")).to.equal('{"step":1,"loss":0.5}\n');
    run.finish("done", 1);
  });

  it("says done with the steps, and leaves no temporary file", async () => {
    (await create()).finish("done", 5, { loss: 1 });
    expect(record()).to.deep.include({ status: "done", stepsDone: 5, result: { loss: 1 } });
    expect(readdirSync(folder).toSorted()).to.deep.equal(["config.yaml", "metrics.jsonl", "run.json"]);
  });

  it("keeps code, message and details of the error that ended it", async () => {
    const run = await create();
    run.failed(2, fail("ATTUNE_NOT_FINITE", "no", { details: { step: 3 } }));
    expect(record()).to.deep.include({
      status: "failed",
      stepsDone: 2,
      error: { code: "ATTUNE_NOT_FINITE", message: "no", details: { step: 3 } },
    });
  });

  it("ends only once", async () => {
    const run = await create();
    run.finish("interrupted", 2);
    run.failed(2, new Error("later"));
    expect(record()).to.deep.include({ status: "interrupted" });
  });
});
