// `attune kto` from end to end on a tiny model: what it says of thumbs and pairs, and what it answers to bad ones.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type Place, pairs, temporaryPlace } from "../train/training-rows.js";
import { commandLine } from "./command-line.js";

const thumbs = [
  { prompt: "a?", completion: " yes", label: true },
  { prompt: "bb?", completion: " never", label: false },
  { prompt: "ccc?", completion: " y", label: true },
  { prompt: "a?", completion: " yes", label: false },
];

describe("attune kto", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const kto = (rows: readonly object[], ...more: string[]) => {
    const data = join(place.folder, "rows.jsonl");
    writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const machine = ["--threads", "1", "--token-cache", "off"];
    return commandLine([
      "kto",
      "--model",
      place.model,
      "--data",
      data,
      "--output",
      place.output(),
      ...machine,
      ...more,
    ]);
  };

  it("trains on thumbs, and says how many there are and what they contradict", async () => {
    const { code, stdout, stderr } = await kto(thumbs, "--batch-size", "2", "--epochs", "2", "--no-shuffle");
    expect(code).to.equal(0);
    expect(stderr)
      .to.include("4 of 4 rows, 4 steps")
      .and.include("  2 good answers\n  2 bad answers")
      .and.include("  1 judged the other way before (contradictions)");
    expect(stdout).to.include("rewards/margins").and.include("done after 4 steps");
    expect(place.record().rows).to.include({
      desirable: 2,
      undesirable: 2,
      contradictions: 1,
      duplicates: 0,
    });
  });

  it("takes pairs apart, and says so", async () => {
    const { code, stderr } = await kto([...pairs, { ...pairs[0], prompt: "x?", both_bad: true }]);
    expect(code).to.equal(0);
    expect(stderr)
      .to.include("12 of 12 rows, 2 steps")
      .and.include("6 pairs taken apart")
      .and.include("1 call both answers bad");
    expect(stderr)
      .to.include("warning: 5 good answers x 1 against 7 bad ones x 1")
      .and.include("--desirable-weight");
  });

  it("refuses rows of one label before anything is written", async () => {
    const { code, stderr } = await kto(thumbs.filter(({ label }) => label));
    expect(code).to.equal(2);
    expect(stderr).to.include("ATTUNE_DATA").and.include("all 2 are good").and.include("--allow-one-label");
    expect(existsSync(place.output())).to.equal(false);
    expect(
      (
        await kto(
          thumbs.filter(({ label }) => label),
          "--allow-one-label",
        )
      ).code,
    ).to.equal(0);
  });

  it("names row and column of a label that is not true or false", async () => {
    const { code, stderr } = await kto([...thumbs, { ...thumbs[0], label: "good" }]);
    expect(code).to.equal(2);
    expect(stderr).to.include(
      'rows.jsonl:5: expected true or false in column "label" but found the text "good"',
    );
  });

  it("takes a label that is bad among the rows that may be skipped", async () => {
    const { code } = await kto([...thumbs, { ...thumbs[0], label: "good" }], "--skip-bad-rows", "1");
    expect(code).to.equal(0);
    expect(place.record().rows).to.include({ bad: 1, kept: 4 });
  });

  it("refuses rows without a judgement, naming what is missing", async () => {
    const { code, stderr } = await kto([{ prompt: "q", completion: " a" }]);
    expect(code).to.equal(2);
    expect(stderr).to.include('expected a column "label"');
  });

  it("refuses a batch size that leaves a row alone", async () => {
    const { code, stderr } = await kto(thumbs, "--batch-size", "3");
    expect(code).to.equal(2);
    expect(stderr).to.include("is alone").and.include("batch-size");
  });

  it("refuses a loss that it does not have", async () => {
    const { code, stderr } = await kto(thumbs, "--loss", "sigmoid");
    expect(code).to.equal(2);
    expect(stderr).to.include("one of kto, apo_zero_unpaired, bco");
  });
});
