// `attune reward` from end to end on a tiny model: what it prints, writes and answers to bad input.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { tastePairs, tasteRankings } from "../train/judgements.js";
import { type Place, temporaryPlace } from "../train/training-rows.js";
import { commandLine } from "./command-line.js";

describe("attune reward", function () {
  this.timeout(60_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const run = (rows: readonly object[], ...more: string[]) => {
    const data = join(place.folder, "rows.jsonl");
    writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const shared = ["--model", place.model, "--data", data, "--output", place.output(), "--threads", "1"];
    return commandLine(["reward", ...shared, ...more]);
  };

  it("trains, shows accuracy and margin of each step, and sums up", async () => {
    const { code, stdout, stderr } = await run(tastePairs, "--batch-size", "4", "--eval-share", "0.25");
    expect(code).to.equal(0);
    expect(stderr).to.match(/step 2\/2 {2}loss \S+ {2}accuracy \d\.\d\d {2}margin /);
    expect(stderr)
      .to.include("calibration_error")
      .and.include("the best answers of the training rows (6) score 0 on average");
    expect(stdout).to.match(/^accuracy +\S+ +\S+$/m);
    expect(stdout).to.match(/^evaluation +before +last *\n-[- ]+\nloss +\S+ +\S+\naccuracy +\S+ +\S+$/m);
    expect(readdirSync(join(place.output(), "model"))).to.include.members(["attune.json", "config.json"]);
  });

  it("takes lists of axes and a scale as flags", async () => {
    const rated = ["a", "b"].flatMap((axis) =>
      [1, 5].map((rating) => ({ prompt: "q?", completion: ` ${axis}${rating}`, rating, axis })),
    );
    const { code, stdout } = await run(rated, "--axis", "a,b", "--rating-scale", "1,5", "--json");
    expect(code).to.equal(0);
    expect(JSON.parse(stdout).details).to.deep.include({ loss: "rating", headAxes: ["a", "b"] });
  });

  it("answers a ranking with a missing answer by file, line and column", async () => {
    const rows = [...tasteRankings, { prompt: "q?", completions: [" a", " b"], ranks: [1] }];
    const { code, stderr } = await run(rows);
    expect(code).to.equal(2);
    expect(stderr).to.match(/rows\.jsonl:9: .*2 .*column "ranks"/);
    expect(existsSync(place.output())).to.equal(false);
  });

  it("tolerates bad rows when asked to, and says how many", async () => {
    const rows = [{ ...tastePairs[0], margin: "big" }, ...tastePairs];
    const { code, stderr } = await run(rows, "--skip-bad-rows", "1");
    expect(code).to.equal(0);
    expect(stderr).to.include("1 bad rows skipped").and.include('column "margin"');
  });
});
