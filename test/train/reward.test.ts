// reward() on a tiny model that learns a taste: every loss, micro-batches, what is saved, what is refused.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine } from "../../lib/engine/index.js";
import { dpo, kto, type RewardMetrics, type RewardOptions, reward, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { writeTinyModel } from "../support/tiny-model.js";
import {
  tasteBest,
  tasteGroups,
  tastePairs,
  tastePairsWithTies,
  tasteRankings,
  tasteRatings,
} from "./judgements.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("reward", function () {
  this.timeout(120_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const start = (options: Partial<RewardOptions> = {}, output = "run") =>
    reward({
      model: place.model,
      data: tastePairs,
      output: place.output(output),
      batchSize: 8,
      schedule: "constant",
      learningRate: 2e-3,
      threads: 1,
      ...options,
    });

  describe("learns", () => {
    for (const [name, options] of [
      ["pairs", {}],
      ["pairs with margins kept near 0", { centring: 0.01 }],
      ["several pairs of one prompt", { data: tasteGroups, loss: "all-pairs" }],
      ["pairs with ties", { data: tastePairsWithTies }],
      ["pairs without their ties", { data: tastePairsWithTies, ties: "drop" }],
      ["ties as outcomes (rao-kupper)", { data: tastePairsWithTies, loss: "rao-kupper" }],
      ["ties as outcomes (davidson)", { data: tastePairsWithTies, loss: "davidson" }],
      ["rankings", { data: tasteRankings }],
      ["rankings, ties averaged", { data: tasteRankings, ties: "average" }],
      ["rankings, ties summed", { data: tasteRankings, ties: "marginal" }],
      ["all pairs of rankings", { data: tasteRankings, loss: "all-pairs" }],
      ["all pairs of rankings but ties", { data: tasteRankings, loss: "all-pairs", ties: "drop" }],
      ["the best of several", { data: tasteBest }],
      ["by an ensemble", { heads: 3 }],
      ["from a head of zeros", { headInit: "zero" }],
      ["by an adapter", { adapterRank: 4, learningRate: 1e-2 }],
    ] as const satisfies readonly (readonly [string, Partial<RewardOptions>])[])
      it(name, async () => {
        const { first, last } = await start({ ...options, epochs: 30 } as Partial<RewardOptions>).result;
        expect(last.loss).to.be.below(first.loss);
        expect(last.accuracy).to.be.at.least(0.9);
        expect(last.margin).to.be.above(Math.max(0, first.margin ?? 0));
      });

    it("ratings, in units of their spread", async () => {
      const { last, details } = await start({ data: tasteRatings, epochs: 30, batchSize: 32 }).result;
      expect(last.loss).to.be.below(0.2);
      expect(details?.ratings).to.deep.equal({ "": { mean: 2.5, std: Math.sqrt(1.25), count: 32 } });
    });

    it("each axis of ratings by a head of its own", async () => {
      const data = tasteRatings.flatMap((row) => [
        { ...row, axis: "taste" },
        { ...row, rating: 10 * (5 - row.rating), axis: "price" },
      ]);
      const axis = ["taste", "price"];
      const { last, details } = await start({ data, axis, epochs: 40, batchSize: 64 }).result;
      // One head could not do better than 1: the axes contradict each other.
      expect(last.loss).to.be.below(0.2);
      expect(details?.headAxes).to.deep.equal(axis);
    });

    it("the parameter of ties, which moves towards the rows", async () => {
      const data = tastePairsWithTies.filter(({ label = 1 }) => label === 1);
      const onlyWins = await start({ data, loss: "davidson", epochs: 20 }, "wins").result;
      expect(onlyWins.last.tie_parameter).to.be.below(onlyWins.first.tie_parameter ?? Number.NaN);
      expect(onlyWins.details?.tieParameter).to.be.below(onlyWins.last.tie_parameter ?? Number.NaN);
    });
  });

  const compared = ["loss", "grad_norm", "accuracy", "margin", "min_reward", "mean_reward", "max_reward"];
  for (const [name, options] of [
    ["pairs", {}],
    ["several pairs of one prompt", { data: tasteGroups }],
    ["rankings", { data: tasteRankings, ties: "average" }],
    ["an ensemble", { heads: 3, centring: 0.01 }],
    ["ties", { data: tastePairsWithTies, loss: "rao-kupper" }],
    ["ratings", { data: tasteRatings }],
  ] as const satisfies readonly (readonly [string, Partial<RewardOptions>])[])
    it(`gives the same in micro-batches of one row as in one of all: ${name}`, async () => {
      // One step: later ones carry the rounding of Adam's first.
      const one = { ...options, maxSteps: 1, learningRate: 1e-6 } as Partial<RewardOptions>;
      await start({ ...one, microBatchTokens: 1 }, "small").result;
      await start({ ...one, microBatchTokens: 100_000 }, "large").result;
      const [small, large] = [place.metrics("small")[0], place.metrics("large")[0]];
      let seen = 0;
      for (const key of compared) {
        if (large?.[key] === undefined) continue;
        seen += 1;
        expect(small?.[key], key).to.be.closeTo(
          large[key] ?? 0,
          1e-6 * Math.max(1, Math.abs(large[key] ?? 0)),
        );
      }
      expect(seen).to.be.at.least(5);
    });

  it("scores every answer once, and what answers share too", async () => {
    await start({ data: tasteGroups, maxSteps: 1, normalise: "none" }).result;
    const prompts = [...new Set(tasteGroups.map(({ prompt }) => prompt))];
    // Four answers of five bytes and an EOS for each prompt.
    expect(place.metrics()[0]).to.deep.include({
      tokens_computed: prompts.reduce((sum, { length }) => sum + length + 4 * 6, 0),
    });
    expect(place.record().rows).to.deep.include({ kept: 12, merged: 8 });
  });

  it("starts a head of zeros at log 2 with scores of 0", async () => {
    const { first } = await start({ headInit: "zero", maxSteps: 1 }).result;
    expect(first.loss).to.be.closeTo(Math.LN2, 1e-12);
    expect(first).to.deep.include({ min_reward: 0, max_reward: 0, accuracy: 0, margin: 0 });
  });

  it("starts each head of an ensemble at a draw of its own, the first as that of a single one", async () => {
    await start({ maxSteps: 1, learningRate: 1e-30 }, "one").result;
    await start({ maxSteps: 1, learningRate: 1e-30, heads: 3 }, "three").result;
    await using engine = await createEngine({ threads: 1 });
    const [one, three] = await Promise.all(
      ["one", "three"].map(async (name) => {
        await using model = await engine.loadModel(join(place.output(name), "model"));
        return await model.parameter("score.weight");
      }),
    );
    const width = one?.length ?? 0;
    expect([...(three?.subarray(0, width) ?? [])]).to.deep.equal([...(one ?? [])]);
    expect(three?.[width]).to.not.equal(one?.[0]);
  });

  it("leaves pairs of label 0.5 out of accuracy and margin", async () => {
    const data = [{ prompt: "a?", chosen: " y", rejected: " n", label: 0.5 }];
    const { first } = await start({ data, maxSteps: 1, normalise: "none" }).result;
    expect(first).to.not.have.any.keys("accuracy", "margin");
  });

  it("counts a pair of label below 0.5 as won by its rejected side", async () => {
    const turned = tastePairs.map(({ prompt, chosen, rejected }) => ({
      prompt,
      chosen: rejected,
      rejected: chosen,
      label: 0,
    }));
    await start({ maxSteps: 1 }, "plain").result;
    await start({ maxSteps: 1, data: turned }, "turned").result;
    for (const key of ["accuracy", "margin", "mean_reward"])
      expect(place.metrics("turned")[0]?.[key], key).to.be.closeTo(
        place.metrics("plain")[0]?.[key] ?? 0,
        1e-6,
      );
  });

  it("weighs rows: one of weight 0 teaches nothing and still counts", async () => {
    const [first, ...others] = tastePairs;
    const one = first ?? { prompt: "a?", chosen: " y", rejected: " n" };
    const silenced = [one, ...others.map((row) => ({ ...row, weight: 0 }))];
    await start({ data: silenced, maxSteps: 1, normalise: "none" }, "silenced").result;
    await start({ data: [one], maxSteps: 1, normalise: "none", batchSize: 1 }, "alone").result;
    const alone = place.metrics("alone")[0]?.loss ?? Number.NaN;
    expect(place.metrics("silenced")[0]?.loss).to.be.closeTo(alone / tastePairs.length, 1e-7);
  });

  it("measures evaluation rows: accuracy, calibration and whether length is what is liked", async () => {
    const { evaluation } = await start({ evalData: tastePairs, epochs: 20 }).result;
    const { first, last } = evaluation ?? {};
    expect(last).to.include.keys(
      "eval_loss",
      "eval_accuracy",
      "eval_margin",
      "eval_calibration_error",
      "eval_length_correlation",
    );
    expect(last?.eval_accuracy).to.equal(1);
    expect(last?.eval_calibration_error).to.be.below(first?.eval_calibration_error ?? 0);
  });

  it("counts every row once in the evaluation of an ensemble", async () => {
    await start({ evalData: tastePairs, heads: 4, headInit: "zero", maxSteps: 1 }).result;
    expect(place.metrics()[0]?.eval_loss).to.be.closeTo(Math.LN2, 1e-12);
  });

  it("logs only keys that docs/metrics.md defines", async () => {
    await start({ data: tastePairsWithTies, loss: "davidson", evalData: tastePairs, maxSteps: 1 }).result;
    await start({ centring: 0.1, maxSteps: 1 }, "centred").result;
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const lines = [...place.metrics(), ...place.metrics("centred")];
    const keys = new Set(lines.flatMap((line) => Object.keys(line)));
    expect(keys).to.include("centring").and.to.include("tie_parameter").and.to.include("eval_ms");
    for (const key of keys) expect(docs).to.include(`\`${key.replace(/^eval_(?!ms)/, "")}\``);
  });

  it("drops a row when one of its answers is too long, and counts it", async () => {
    await start({ maxLength: 12, maxSteps: 1 }).result;
    const rows = place.record().rows as { readonly dropped: Readonly<Record<string, number>> };
    expect(rows.dropped.too_long).to.be.above(0);
  });

  describe("needs a model of the right kind", () => {
    let engine: Engine;
    before(async () => {
      engine = await createEngine({ threads: 1 });
    });
    after(() => engine.dispose());

    const rewardFolder = () => {
      const folder = join(place.folder, "scores");
      writeTinyModel({ folder, kind: "reward" });
      return folder;
    };
    const refused = async (run: () => { readonly result: Promise<unknown> }) => {
      const failure = await failureOf(() => run().result);
      expect(existsSync(place.output()), "nothing is written").to.equal(false);
      return failure;
    };

    it("refuses heads beside a loaded model, which has its own", async () => {
      await using model = await engine.loadModel(place.model, { scoreHead: {} });
      const { threads: _, ...rest } = { threads: 1, model, data: tastePairs, output: place.output() };
      const { code, message } = await refused(() => reward({ ...rest, heads: 3 }));
      expect(code).to.equal("ATTUNE_OPTION");
      expect(message).to.include("engine.loadModel");
    });

    it("trains a loaded model with a head in place", async () => {
      await using model = await engine.loadModel(place.model, { scoreHead: { heads: 2 } });
      const before = await model.parameter("score.weight");
      await reward({ model, data: tastePairs, output: place.output(), maxSteps: 1 }).result;
      expect(await model.parameter("score.weight")).to.not.deep.equal(before);
      expect(model.scoreNormalisation?.bias).to.have.length(2);
    });

    for (const [name, run] of [
      ["dpo", (model: string, output: string) => dpo({ model, output, data: pairs, threads: 1 })],
      [
        "kto",
        (model: string, output: string) => {
          const data = [true, false].map((label) => ({ prompt: "q?", completion: ` ${label}`, label }));
          return kto({ model, output, data, threads: 1 });
        },
      ],
      ["sft", (model: string, output: string) => sft({ model, output, data: demonstrations, threads: 1 })],
    ] as const)
      it(`${name} refuses a reward model before anything is written`, async () => {
        const model = rewardFolder();
        const { code, message } = await refused(() => run(model, place.output()));
        expect(code).to.equal("ATTUNE_MODEL");
        expect(message).to.include(model).and.to.include("reward model");
      });

    it("refuses a loaded language model before anything is written", async () => {
      await using model = await engine.loadModel(place.model);
      const { threads: _, ...rest } = { threads: 1, model, data: tastePairs, output: place.output() };
      const { code, message } = await refused(() => reward(rest));
      expect(code).to.equal("ATTUNE_MODEL");
      expect(message).to.include("scoreHead");
    });

    it("goes on with the head of a reward model", async () => {
      const model = rewardFolder();
      await start({ model, maxSteps: 1, learningRate: 1e-30, normalise: "none" }).result;
      await using before = await engine.loadModel(model);
      await using after = await engine.loadModel(join(place.output(), "model"));
      expect(await after.parameter("score.weight")).to.deep.equal(await before.parameter("score.weight"));
    });

    for (const option of [{ headInit: "zero" }, { heads: 2 }] as const)
      it(`refuses ${Object.keys(option)[0]} beside the head of a reward model`, async () => {
        const model = rewardFolder();
        const { code, message } = await refused(() => start({ model, ...option }));
        expect(code).to.equal("ATTUNE_OPTION");
        expect(message).to.include("its own head");
      });

    it("goes on with an adapter that has a head", async () => {
      await start({ adapterRank: 2, maxSteps: 2 }, "first").result;
      const adapter = join(place.output("first"), "model");
      const { first } = await start({ adapter, maxSteps: 1 }, "second").result;
      const started = place.metrics("first")[0] as unknown as RewardMetrics;
      expect(first.loss).to.be.below(started.loss);
    });
  });
});
