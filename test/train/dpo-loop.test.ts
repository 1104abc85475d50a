// The logic of the dpo loop, on a model of one logit per token: reference, cache, counts, metrics.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type DpoOptions, dpo } from "../../lib/train/index.js";
import { UnigramModel } from "../support/unigram-model.js";
import { type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("the dpo loop", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, 259);
  });
  afterEach(() => place.remove());

  const start = (options: Partial<DpoOptions> = {}, output = "run") =>
    dpo({
      model,
      data: pairs,
      output: place.output(output),
      shuffle: false,
      batchSize: 2,
      schedule: "constant",
      learningRate: 1,
      ...options,
    });
  const again = () => {
    model = new UnigramModel(place.model, 259);
  };

  it("starts at log 2 with zero rewards and no wins, since policy and reference are one", async () => {
    await start({ maxSteps: 1 }).result;
    expect(place.metrics()[0]?.loss).to.be.closeTo(Math.LN2, 1e-12);
    expect(place.metrics()[0]).to.deep.include({
      "rewards/chosen": 0,
      "rewards/rejected": 0,
      "rewards/margins": 0,
      "rewards/accuracies": 0,
    });
  });

  it("learns to prefer the chosen side", async () => {
    const { last } = await start({ epochs: 10, batchSize: 5 }).result;
    expect(last.loss).to.be.below(0.6);
    expect(last["rewards/accuracies"]).to.equal(1);
  });

  it("holds its reference still while the model moves, and lets it go at the end", async () => {
    await start({ epochs: 3 }).result;
    expect(model.snapshots).to.have.length(1);
    expect(model.snapshots[0]?.logits.every((logit) => logit === 0)).to.equal(true);
    expect(model.snapshots[0]?.disposed).to.equal(true);
    expect(model.logits.some((logit) => logit !== 0)).to.equal(true);
  });

  it("divides by the pairs of the whole step, whatever the micro-batches are", async () => {
    await start({ batchSize: 4, microBatchTokens: 1, maxSteps: 1 }).result;
    expect(model.steps.map(({ loss }) => loss.normaliser)).to.deep.equal([4, 4, 4, 4]);
  });

  it("gives the same metrics in micro-batches of one pair as in one of all", async () => {
    await start({ batchSize: 5, epochs: 3, microBatchTokens: 1 }, "small").result;
    again();
    await start({ batchSize: 5, epochs: 3, microBatchTokens: 10_000 }, "large").result;
    const small = place.metrics("small");
    for (const [step, large] of place.metrics("large").entries()) {
      for (const key of ["loss", "rewards/margins", "logps/chosen", "logps/rejected", "grad_norm"]) {
        expect(small[step]?.[key], key).to.be.closeTo(large[key] ?? Number.NaN, 1e-9);
      }
    }
  });

  it("counts a pair's prompt twice in tokens and once in the computed ones", async () => {
    await start({ maxSteps: 1, batchSize: 1 }).result;
    const { prompt, chosen, rejected } = pairs[0] ?? { prompt: "", chosen: "", rejected: "" };
    expect(place.metrics()[0]).to.deep.include({
      tokens: 2 * prompt.length + chosen.length + rejected.length + 2,
      tokens_computed: prompt.length + chosen.length + rejected.length,
    });
  });

  it("asks the reference once per pair, at its first visit", async () => {
    await start({ epochs: 3 }).result;
    const visits = model.snapshots[0]?.forwards.flatMap((batch) => [...batch.rows]);
    expect(visits).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it("asks the reference at every visit when the cache is off", async () => {
    await start({ epochs: 3, cache: "off" }).result;
    expect(model.snapshots[0]?.forwards.flatMap((batch) => [...batch.rows])).to.have.length(15);
  });

  it("gives the same numbers with the cache as without", async () => {
    await start({ epochs: 3, shuffle: true }, "cached").result;
    again();
    await start({ epochs: 3, shuffle: true, cache: "off" }, "uncached").result;
    const timeless = (name: string) =>
      place.metrics(name).map(({ loss, grad_norm, "logps/chosen": chosen }) => [loss, grad_norm, chosen]);
    expect(timeless("cached")).to.deep.equal(timeless("uncached"));
  });

  it("takes the log-probs of a shared cache from an earlier run", async () => {
    const cache = join(place.folder, "shared");
    await start({ cache }, "first").result;
    again();
    await start({ cache }, "second").result;
    expect(model.snapshots[0]?.forwards).to.deep.equal([]);
  });

  it("does not take log-probs of other weights from a shared cache", async () => {
    const cache = join(place.folder, "shared");
    await start({ cache }, "first").result;
    // The same model object, trained meanwhile: its start is another one now.
    await start({ cache }, "second").result;
    expect(model.snapshots[1]?.forwards.length).to.be.above(0);
    expect(place.metrics("second")[0]?.["rewards/margins"]).to.equal(0);
  });

  it("keeps its cache in the run's folder when nothing else is asked for", async () => {
    await start().result;
    expect(readdirSync(join(place.output(), "reference"))).to.have.length(1);
  });

  it("passes soft labels, weights, beta and smoothing on to the loss", async () => {
    const data = pairs.map((pair, i) => ({ ...pair, label: i / 4, weight: i }));
    await start({ data, batchSize: 5, beta: 0.3, labelSmoothing: 0.1 }).result;
    expect(model.steps[0]?.loss).to.deep.include({
      beta: 0.3,
      labelSmoothing: 0.1,
      terms: [{ name: "sigmoid", weight: 1 }],
      labels: Float64Array.of(0, 0.25, 0.5, 0.75, 1),
      weights: Float64Array.of(0, 1, 2, 3, 4),
    });
  });

  it("logs only keys that docs/metrics.md defines", async () => {
    await start({ maxSteps: 1 }).result;
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    for (const key of Object.keys(place.metrics()[0] ?? {})) expect(docs).to.include(`\`${key}\``);
  });

  it("drops pairs over the maximum length, or cuts them, and counts both", async () => {
    await start({ maxLength: 9 }, "dropped").result;
    again();
    await start({ maxLength: 9, truncate: true }, "cut").result;
    const rows = (name: string) => place.record(name).rows as Record<string, unknown>;
    expect(rows("dropped").dropped).to.deep.equal({ too_long: 4 });
    expect(rows("cut")).to.deep.include({ kept: 5, truncated: 4 });
  });
});
