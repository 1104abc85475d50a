// `attune report` from end to end, and what training commands leave of it.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { dpoLines, writeRunFolder } from "../report/run-folders.js";
import { eventOf, records } from "../report/tensorboard-reader.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { type Place, pairs, temporaryPlace } from "../train/training-rows.js";
import { commandLine } from "./command-line.js";

describe("attune report", () => {
  const at = suiteFolder();
  before(() => {
    for (const name of ["a", "b"])
      writeRunFolder({ folder: at("runs", name), lines: dpoLines({ steps: 5 }) });
  });

  it("writes the page of one run into its folder", async () => {
    const { code, stdout } = await commandLine(["report", at("runs", "a")]);
    expect([code, stdout]).to.deep.equal([0, `report of a: ${at("runs", "a", "report.html")}\n`]);
    expect(readFileSync(at("runs", "a", "report.html"), "utf8")).to.match(/^<!doctype html>/);
  });

  it("writes an earlier report again", async () => {
    const line = ["report", at("runs", "b"), "--output", at("again.html")];
    expect([(await commandLine(line)).code, (await commandLine(line)).code]).to.deep.equal([0, 0]);
  });

  it("compares several runs in the page that is asked for", async () => {
    const { code } = await commandLine([
      "report",
      at("runs", "a"),
      at("runs", "b"),
      "--output",
      at("both", "page.html"),
    ]);
    expect(code).to.equal(0);
    expect(readFileSync(at("both", "page.html"), "utf8")).to.include("2 runs compared");
  });

  it("takes a folder of runs for all of them", async () => {
    const { code, stdout } = await commandLine(["report", at("runs"), "--output", at("all.html"), "--json"]);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ page: at("all.html"), runs: ["a", "b"] });
  });

  it("writes the plots as SVG and as PNG", async () => {
    const { code, stdout } = await commandLine([
      "report",
      at("runs", "a"),
      "--svg",
      at("svg"),
      "--png",
      at("png"),
    ]);
    expect(code).to.equal(0);
    expect(readdirSync(at("svg"))).to.include.members(["overview.svg", "loss.svg"]);
    expect(readFileSync(at("png", "loss.png")).subarray(1, 4).toString()).to.equal("PNG");
    expect(stdout).to.include(at("png", "overview.png"));
  });

  it("says on standard error what it passed over", async () => {
    writeRunFolder({ folder: at("torn"), lines: [] });
    writeFileSync(at("torn", "metrics.jsonl"), '{"step":1,"split":"train","loss":1}\n{"st');
    const { code, stderr } = await commandLine(["report", at("torn")]);
    expect([code, stderr]).to.deep.equal([
      0,
      "torn: metrics.jsonl:2 is no JSON object and was passed over\n",
    ]);
  });

  const wrong: readonly [string, () => string[], string][] = [
    ["no run", () => [], "report needs the folder of a run"],
    ["a folder that is no run", () => [at("svg")], "there is no metrics.jsonl in it"],
    [
      "a page that cannot be written",
      () => [at("runs", "a"), "--output", "/dev/null/x.html"],
      "Cannot write /dev/null/x.html",
    ],
    [
      "to write over a file that is no report",
      () => [at("runs", "a"), "--output", at("runs", "a", "metrics.jsonl")],
      "metrics.jsonl is no report. Choose another place. [ATTUNE_OUTPUT_EXISTS]",
    ],
    ["to write over a folder", () => [at("runs", "a"), "--output", at("runs")], "is no file"],
    ["an unknown flag", () => [at("runs", "a"), "--pgn", "x"], 'Did you mean "--png"?'],
  ];
  for (const [what, args, text] of wrong) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await commandLine(["report", ...args()]);
      expect(code).to.equal(2);
      expect(stderr).to.include(text);
    });
  }
});

describe("a training command", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const args = (...more: string[]) => {
    const data = `${place.folder}/pairs.jsonl`;
    writeFileSync(data, pairs.map((row) => JSON.stringify(row)).join("\n"));
    const paths = ["--model", place.model, "--data", data, "--output", place.output()];
    return ["dpo", ...paths, "--threads", "1", "--batch-size", "2", "--token-cache", "off", ...more];
  };
  const train = (...more: string[]) => commandLine(args(...more));
  /** A run of 30 steps that gets Ctrl-C in its first one. */
  const interrupted = (...more: string[]) => {
    let asked = false;
    return commandLine(args("--epochs", "10", ...more), {
      onProgress(text, interrupt) {
        if (asked || !text.includes("step 1/")) return;
        asked = true;
        interrupt();
      },
    });
  };
  const eventFiles = () => readdirSync(`${place.output()}/tensorboard`).toSorted();
  const eventsOf = (file: string) =>
    records(readFileSync(`${place.output()}/tensorboard/${file}`)).map(({ payload }) => eventOf(payload));

  it("leaves the report of its run and says where", async () => {
    const { code, stdout } = await train();
    expect(code).to.equal(0);
    expect(stdout).to.include(`report: ${place.output()}/report.html\n`);
    expect(readFileSync(`${place.output()}/report.html`, "utf8")).to.include("Done after 3 of 3 steps.");
  });

  it("leaves the report of an interrupted run", async () => {
    const { code } = await interrupted();
    expect(code).to.equal(130);
    expect(readFileSync(`${place.output()}/report.html`, "utf8")).to.include("Interrupted after");
  });

  it("names the page in its summary as JSON", async () => {
    const { stdout } = await train("--json");
    expect(JSON.parse(stdout)).to.deep.include({ status: "done", report: `${place.output()}/report.html` });
  });

  it("writes no event files unless it is asked to", async () => {
    expect((await train()).code).to.equal(0);
    expect(existsSync(`${place.output()}/tensorboard`)).to.equal(false);
  });

  it("writes TensorBoard event files with --tensorboard, and goes on in a new one", async () => {
    await interrupted("--tensorboard");
    const [first = ""] = eventFiles();
    const stopped = Number(eventsOf(first).at(-1)?.step);
    expect(stopped).to.be.within(1, 29);
    const { code } = await train("--epochs", "10", "--tensorboard", "--resume");
    expect(code).to.equal(0);
    const files = eventFiles();
    expect(files).to.have.length(2);
    const [, start, next, ...later] = eventsOf(files.find((name) => name !== first) ?? "");
    expect(start).to.deep.include({ start: true, step: stopped + 1 });
    expect([next?.step, later.at(-1)?.step]).to.deep.equal([stopped + 1, 30]);
  });
});
