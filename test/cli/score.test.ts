// `attune score` from end to end on a tiny reward model: rows come back with scores.

import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { jsonLines, pairs, writeWorld } from "../evaluate/evaluation-world.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { commandLine } from "./command-line.js";

type Line = Readonly<Record<string, unknown>>;

describe("attune score", () => {
  const at = suiteFolder();
  before(() => writeWorld(at()));

  const score = (args: readonly string[]) =>
    commandLine(["score", "--model", at("reward"), "--token-cache", "off", ...args]);
  const linesOf = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  const scored = async (rows: readonly object[], args: readonly string[] = []) => {
    writeFileSync(at("rows.jsonl"), jsonLines(rows));
    const { code, stdout, stderr } = await score(["--data", at("rows.jsonl"), ...args]);
    expect(code, stderr).to.equal(0);
    return linesOf(stdout);
  };

  it("gives pairs back whole, with both scores and their difference", async () => {
    const lines = await scored(pairs);
    expect(lines).to.have.length(30);
    expect(lines[3]).to.deep.include({ ...pairs[3] });
    const { chosen_score: chosen, rejected_score: rejected, score_margin: margin } = lines[3] ?? {};
    expect(margin).to.equal(Number(chosen) - Number(rejected));
  });

  it("scores an answer alike in a pair, alone and in a ranking", async () => {
    const [pair] = await scored(pairs.slice(0, 1));
    const { prompt, chosen, rejected } = pairs[0] ?? {};
    const [alone] = await scored([{ prompt, completion: chosen }]);
    const [ranked] = await scored([{ prompt, completions: [rejected, chosen], ranks: [2, 1] }]);
    expect(alone?.score).to.equal(pair?.chosen_score);
    expect(ranked?.scores).to.deep.equal([pair?.rejected_score, pair?.chosen_score]);
  });

  it("writes a new file and says on standard error how many rows it holds", async () => {
    const { code, stdout, stderr } = await score([
      "--data",
      at("pairs.jsonl"),
      "--output",
      at("scored.jsonl"),
    ]);
    expect([code, stdout]).to.deep.equal([0, ""]);
    expect(stderr).to.include("30 of 30 rows scored");
    expect(linesOf(readFileSync(at("scored.jsonl"), "utf8"))).to.have.length(30);
  });

  it("leaves rows out that are too long, and counts them", async () => {
    writeFileSync(at("long.jsonl"), jsonLines([...pairs, { ...pairs[0], chosen: "long ".repeat(99) }]));
    const { stdout, stderr } = await score(["--data", at("long.jsonl")]);
    expect(linesOf(stdout)).to.have.length(30);
    expect(stderr).to.include("30 of 31 rows scored");
  });

  it("gives means and widths beside pessimistic scores of a bound", async () => {
    const fit = [
      "evaluate",
      "--model",
      at("reward"),
      "--data",
      at("pairs.jsonl"),
      "--fit-bound",
      at("bound.json"),
    ];
    expect((await commandLine([...fit, "--token-cache", "off"])).code).to.equal(0);
    const [line] = await scored(pairs, ["--bound", at("bound.json")]);
    const [means, widths] = [line?.score_means, line?.score_widths].map((list) => list as readonly number[]);
    expect(line?.chosen_score).to.equal((means?.[0] ?? 0) - (widths?.[0] ?? 0));
  });

  it("keeps scores with their rows where bad rows are passed over", async () => {
    const plain = await scored(pairs.slice(0, 4));
    const rows = [...pairs.slice(0, 2), { prompt: 7 }, ...pairs.slice(2, 4)];
    expect(await scored(rows, ["--skip-bad-rows", "1"])).to.deep.equal(plain);
  });

  it("refuses a confidence without a bound, and an aggregate beside one", async () => {
    const data = ["--data", at("pairs.jsonl")];
    const alone = await score([...data, "--confidence", "lower"]);
    const both = await score([...data, "--bound", at("bound.json"), "--aggregate", "min"]);
    expect([alone.code, both.code]).to.deep.equal([2, 2]);
    expect(alone.stderr).to.include("--bound FILE");
    expect(both.stderr).to.include("received both");
  });

  it("refuses a model that predicts tokens", async () => {
    const { code, stderr } = await commandLine([
      "score",
      "--model",
      at("policy"),
      "--data",
      at("pairs.jsonl"),
    ]);
    expect(code).to.equal(2);
    expect(stderr).to.include("[ATTUNE_MODEL]");
  });

  it("names file, line and column of a bad row", async () => {
    writeFileSync(at("bad.jsonl"), jsonLines([...pairs.slice(0, 2), { ...pairs[2], label: "yes" }]));
    const { code, stderr } = await score(["--data", at("bad.jsonl")]);
    expect(code).to.equal(2);
    expect(stderr).to.include('bad.jsonl:3: expected a number from 0 to 1 in column "label"');
  });
});
