// Where the scores of a trained reward model lie: reference completions at mean 0, after reloading too.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { type RewardOptions, reward } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { references, tastePairs, tastePairsWithTies } from "./judgements.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("the scores of a trained reward model", function () {
  this.timeout(60_000);
  let place: Place;
  let engine: Engine;
  before(async () => {
    engine = await createEngine({ threads: 1 });
  });
  after(() => engine.dispose());
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const train = (options: Partial<RewardOptions> = {}, output = "run") =>
    reward({
      model: place.model,
      data: tastePairs,
      output: place.output(output),
      learningRate: 1e-3,
      maxSteps: 4,
      epochs: 4,
      batchSize: 8,
      threads: 1,
      ...options,
    }).result;
  const reload = (output = "run") => engine.loadModel(join(place.output(output), "model"));
  const best = tastePairs.map(({ prompt, chosen }) => ({ prompt, completion: chosen }));
  const mean = (values: ArrayLike<number>) =>
    Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = (values: ArrayLike<number>) =>
    Math.sqrt(mean(Array.from(values, (value) => (value - mean(values)) ** 2)));
  const headsOf = async (model: Model, rows: readonly { prompt: string; completion: string }[]) =>
    (await model.scoreAll(rows)).heads;

  it("have mean 0 over the best answers of the training rows", async () => {
    await train();
    await using model = await reload();
    expect(mean(await model.score(best))).to.be.closeTo(0, 1e-6);
  });

  it("leave ties out of the best answers", async () => {
    await train({ data: tastePairsWithTies });
    await using model = await reload();
    const wins = tastePairsWithTies.filter(({ label = 1 }) => label !== 0.5);
    expect(model.scoreNormalisation?.count).to.equal(wins.length);
  });

  it("have mean 0 over reference data where it is given", async () => {
    await train({ referenceData: writeRows(references) });
    await using model = await reload();
    expect(mean(await model.score(references))).to.be.closeTo(0, 1e-6);
    expect(Math.abs(mean(await model.score(best)))).to.be.above(1e-3);
  });

  it("have mean 0 and spread 1 of every head by itself with unit", async () => {
    await train({ normalise: "unit", heads: 3 });
    await using model = await reload();
    for (const scores of await headsOf(model, best)) {
      expect(mean(scores)).to.be.closeTo(0, 1e-5);
      expect(deviation(scores)).to.be.closeTo(1, 1e-5);
    }
  });

  it("stay as the head gives them without", async () => {
    await train({ normalise: "none" });
    await using model = await reload();
    expect(model.scoreNormalisation).to.equal(undefined);
  });

  it("have mean 0 of an adapter that is reloaded on its base", async () => {
    await train({ adapterRank: 2 });
    await using model = await reload();
    expect(mean(await model.score(best))).to.be.closeTo(0, 1e-6);
  });

  it("keep the order of every pair, whatever the normalisation is", async () => {
    const orders: string[] = [];
    for (const normalise of ["none", "mean", "unit"] as const) {
      await train({ normalise }, normalise);
      await using model = await reload(normalise);
      const chosen = await model.score(best);
      const rejected = await model.score(
        tastePairs.map(({ prompt, rejected: completion }) => ({ prompt, completion })),
      );
      orders.push(Array.from(chosen, (score, i) => Number(score > (rejected[i] ?? 0))).join(""));
    }
    expect(orders[0]).to.match(/^[01]{8}$/);
    expect(orders).to.deep.equal([orders[0], orders[0], orders[0]]);
  });

  it("say in run.json and attune.json what they were shifted by", async () => {
    const { details } = await train({ normalise: "unit" });
    const written = place.record().result as { readonly details: Record<string, unknown> };
    expect(written.details).to.deep.equal(JSON.parse(JSON.stringify(details)));
    const notes = JSON.parse(readFileSync(join(place.output(), "model", "attune.json"), "utf8"));
    expect(notes.scoreNormalisation).to.deep.equal(written.details.scoreNormalisation);
    expect(notes.scoreNormalisation).to.include({ count: 8, unitStd: true });
    expect(notes.scoreNormalisation.dataHash).to.match(/^[0-9a-f]{64}$/);
  });

  it("say once what stands in for reference data", async () => {
    const run = reward({
      model: place.model,
      data: tastePairs,
      output: place.output(),
      maxSteps: 1,
      threads: 1,
    });
    const warnings: string[] = [];
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings.filter((text) => text.includes("best answers"))).to.have.length(1);
  });

  it("are not shifted when a run is stopped, which it says", async () => {
    const run = reward({
      model: place.model,
      data: tastePairs,
      output: place.output(),
      epochs: 4,
      threads: 1,
      onStep: ({ step }) => {
        if (step === 2) void run.stop();
      },
    });
    const warnings: string[] = [];
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings.join("\n")).to.include("not normalised");
    await using model = await reload();
    expect(model.scoreNormalisation).to.equal(undefined);
  });

  it("leave cut reference completions out, and refuse a file of nothing else", async () => {
    const long = { prompt: "q?", completion: ` ${"y".repeat(60)}` };
    await train({ referenceData: writeRows([...references, long]), maxLength: 40 });
    await using model = await reload();
    expect(model.scoreNormalisation?.count).to.equal(references.length);
    const failure = await failureOf(() =>
      train({ referenceData: writeRows([long]), maxLength: 40 }, "other"),
    );
    expect(failure.code).to.equal("ATTUNE_NO_ROWS");
  });

  it("are refused a file of pairs as reference data, naming its line", async () => {
    const failure = await failureOf(() => train({ referenceData: writeRows(tastePairs) }));
    expect(failure.message).to.match(/rows\.jsonl:1: .*completion/);
  });

  function writeRows(rows: readonly object[]): string {
    const path = join(place.folder, "rows.jsonl");
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return path;
  }
});
