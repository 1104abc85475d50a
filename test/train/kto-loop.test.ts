// The logic of the kto loop, on a model of one logit per token: baseline, reference, cache, counts, metrics.

import { readFileSync } from "node:fs";
import { expect } from "chai";
import { type KtoOptions, kto } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { UnigramModel } from "../support/unigram-model.js";
import { type Place, temporaryPlace } from "./training-rows.js";

const thumbs = [
  { prompt: "a?", completion: " yes", label: true },
  { prompt: "bb?", completion: " never", label: false },
  { prompt: "ccc?", completion: " y", label: true },
  { prompt: "d?", completion: " no", label: false },
  { prompt: "ee?", completion: " yes yes", label: true },
  { prompt: "f?", completion: " not now", label: false },
];

describe("the kto loop", () => {
  let place: Place;
  let model: UnigramModel;
  beforeEach(() => {
    place = temporaryPlace();
    model = new UnigramModel(place.model, 259);
  });
  afterEach(() => place.remove());

  const start = (options: Partial<KtoOptions> = {}, output = "run") =>
    kto({
      model,
      data: thumbs,
      output: place.output(output),
      shuffle: false,
      batchSize: 3,
      schedule: "constant",
      learningRate: 1,
      ...options,
    });
  const again = () => {
    model = new UnigramModel(place.model, 259);
  };
  const refusal = (options: Partial<KtoOptions>) => failureOf(() => start(options).result);
  const baselines = () =>
    model.steps.map(({ loss }) => (loss.kind === "unpaired" ? loss.baseline : Number.NaN));

  it("starts at a loss of one half, with zero rewards and a zero baseline", async () => {
    await start({ maxSteps: 1 }).result;
    expect(place.metrics()[0]).to.deep.include({
      loss: 0.5,
      kl: 0,
      "rewards/chosen": 0,
      "rewards/rejected": 0,
      "rewards/margins": 0,
    });
  });

  it("learns to make good answers likelier than bad ones", async () => {
    const { last } = await start({ epochs: 20, batchSize: 6 }).result;
    expect(last.loss).to.be.below(0.49);
    expect(last["rewards/margins"]).to.be.above(0.1);
  });

  it("measures the baseline anew in every step, and never below 0", async () => {
    await start({ epochs: 4, batchSize: 6, learningRate: 3 }).result;
    const kls = place.metrics().map(({ kl }) => kl ?? Number.NaN);
    expect(kls[0]).to.equal(0);
    expect(Math.max(...kls)).to.be.above(0);
    expect(Math.min(...kls)).to.be.at.least(0);
    expect(baselines()).to.deep.equal(kls);
  });

  it("holds one baseline for all micro-batches of a step", async () => {
    await start({ batchSize: 6, epochs: 3, learningRate: 3, microBatchTokens: 1 }).result;
    expect(model.steps).to.have.length(18);
    expect(new Set(baselines().slice(12)).size).to.equal(1);
    expect(baselines()[12]).to.be.above(0);
    expect(new Set(model.steps.map(({ loss }) => loss.normaliser))).to.deep.equal(new Set([6]));
  });

  it("gives the same metrics in micro-batches of one row as in one of all", async () => {
    await start({ batchSize: 6, epochs: 4, microBatchTokens: 1 }, "small").result;
    again();
    await start({ batchSize: 6, epochs: 4, microBatchTokens: 10_000 }, "large").result;
    const small = place.metrics("small");
    for (const [step, large] of place.metrics("large").entries()) {
      for (const key of ["loss", "kl", "rewards/margins", "logps/chosen", "logps/rejected", "grad_norm"])
        expect(small[step]?.[key], key).to.be.closeTo(large[key] ?? Number.NaN, 1e-12);
    }
  });

  it("takes the mismatched answer that a row names, and else one from its step", async () => {
    const data = thumbs.map((row, i) => (i === 0 ? { ...row, kl_completion: " own" } : row));
    await start({ data, batchSize: 6 }).result;
    const texts = model.forwards.flatMap((batch) => {
      const ids = Array.from({ length: batch.targets.length / 2 }, (_, i) => batch.targets[2 * i + 1] ?? 0);
      return String.fromCharCode(...ids.filter((id) => id < 256));
    });
    const text = texts.join("|");
    expect(text).to.include(" own");
    // Each row's answer serves another one; the first row needs none of theirs.
    const served = thumbs.filter(({ completion }) => text.includes(completion));
    expect(served.length).to.be.at.least(4);
  });

  it("asks policy and reference for mismatched answers, the reference in the pass of the row's own", async () => {
    await start({ batchSize: 6, epochs: 2 }).result;
    const completions = (batches: readonly { readonly completions: Int32Array }[] | undefined) =>
      batches?.map((batch) => batch.completions.length / 2);
    expect(completions(model.forwards)).to.deep.equal([6, 6]);
    // Own and mismatched answers at the first visit, mismatched ones alone later.
    expect(completions(model.snapshots[0]?.forwards)).to.deep.equal([12, 6]);
  });

  it("asks the reference for everything at every visit when the cache is off", async () => {
    await start({ batchSize: 6, epochs: 2, cache: "off" }).result;
    const counts = model.snapshots[0]?.forwards.map((batch) => batch.completions.length / 2);
    expect(counts).to.deep.equal([12, 12]);
  });

  it("computes an answer that the row names as mismatched once", async () => {
    const data = thumbs.map((row) => ({ ...row, kl_completion: " own" }));
    await start({ data, batchSize: 6, epochs: 3 }).result;
    const counts = model.snapshots[0]?.forwards.map((batch) => batch.completions.length / 2);
    expect(counts).to.deep.equal([12]);
  });

  it("gives the same numbers with the cache as without", async () => {
    const timeless = (name: string) =>
      place.metrics(name).map(({ loss, grad_norm, kl }) => [loss, grad_norm, kl]);
    await start({ epochs: 3, shuffle: true }, "cached").result;
    again();
    await start({ epochs: 3, shuffle: true, cache: "off" }, "uncached").result;
    expect(timeless("cached")).to.deep.equal(timeless("uncached"));
  });

  it("makes no such pass for losses that need no baseline", async () => {
    for (const loss of ["apo_zero_unpaired", "bco"] as const) {
      again();
      await start({ loss, batchSize: 6 }, loss).result;
      expect(model.forwards, loss).to.deep.equal([]);
      expect(model.snapshots[0]?.forwards.map((batch) => batch.completions.length / 2)).to.deep.equal([6]);
      expect(place.metrics(loss)[0], loss).not.to.have.property("kl");
    }
  });

  it("passes labels, weights and options on to the loss", async () => {
    const data = thumbs.map((row, i) => ({ ...row, weight: i }));
    const options = { beta: 0.3, desirableWeight: 2, undesirableWeight: 0.5, bcoDelta: 0.7 } as const;
    await start({ data, batchSize: 6, loss: "bco", ...options }).result;
    expect(model.steps[0]?.loss).to.deep.include({
      kind: "unpaired",
      loss: "bco",
      beta: 0.3,
      baseline: 0.7,
      desirableWeight: 2,
      undesirableWeight: 0.5,
      labels: Float64Array.of(1, 0, 1, 0, 1, 0),
      weights: Float64Array.of(0, 1, 2, 3, 4, 5),
    });
  });

  it("counts tokens of its rows, and computed ones of the policy's pass for the baseline as well", async () => {
    await start({ maxSteps: 1, batchSize: 6 }).result;
    const own = thumbs.reduce((sum, { prompt, completion }) => sum + prompt.length + completion.length, 0);
    expect(place.metrics()[0]).to.include({ tokens: own + 6, "count/desirable": 3, "count/undesirable": 3 });
    // Prompts and completions go round once more, since every answer serves another row.
    expect(place.metrics()[0]?.tokens_computed).to.equal(2 * own);
  });

  it("leaves out the metrics of a side that a step does not have", async () => {
    const ordered = [...thumbs.filter(({ label }) => label), ...thumbs.filter(({ label }) => !label)];
    await start({ data: ordered }).result;
    const [good, bad] = place.metrics();
    expect(good)
      .to.include({ "count/desirable": 3, "count/undesirable": 0 })
      .and.to.have.property("rewards/chosen");
    expect(good).not.to.have.any.keys("rewards/rejected", "rewards/margins", "logps/rejected");
    expect(bad).to.have.property("logits/rejected");
    expect(bad).not.to.have.any.keys("rewards/chosen", "rewards/margins", "logits/chosen");
  });

  it("trains on pairs as a good and a bad answer each", async () => {
    const data = [
      { prompt: "a?", chosen: " yes", rejected: " no" },
      { prompt: "b?", chosen: " yes", rejected: " never" },
    ];
    await start({ data, batchSize: 4 }).result;
    expect(place.record().rows).to.include({ read: 2, kept: 4, split: 2 });
    expect(place.metrics()[0]).to.include({ "count/desirable": 2, "count/undesirable": 2 });
  });

  it("measures evaluation rows with a baseline of their own, keeping their reference", async () => {
    await start({ evalData: thumbs.slice(0, 4), evalEvery: 1, learningRate: 3, epochs: 2 }).result;
    const lines = place.metrics().filter(({ split }) => (split as unknown) === "eval");
    expect(lines).to.have.length(5);
    expect(lines[0]).to.include({ eval_loss: 0.5, eval_kl: 0, "eval_count/desirable": 2 });
    expect(lines.at(-1)?.eval_kl).to.be.above(0);
    const first = model.snapshots[0]?.forwards[0]?.completions.length;
    expect(first).to.equal(2 * 8);
    const four = model.snapshots[0]?.forwards.filter(({ rows }) => rows.length === 4) ?? [];
    expect(four, "evaluations that asked the reference").to.have.length(1);
  });

  it("refuses rows of one label, naming the column", async () => {
    const good = thumbs.map((row) => ({ ...row, label: true }));
    const { code, message, details } = await refusal({ data: good });
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.include("all 6 are good").and.to.include("--allow-one-label");
    expect(details).to.include({ column: "label" });
    await start({ data: good, allowOneLabel: true }).result;
  });

  it("refuses rows of one label that eval-share leaves for training", async () => {
    const data = thumbs.map((row) => ({ ...row, group: String(row.label) }));
    const { code, message } = await refusal({ data, evalShare: 0.5 });
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.match(/all 3 that eval-share left for training are (good|bad)/);
  });

  it("warns of evaluation rows of one label", async () => {
    const run = start({ evalData: thumbs.filter(({ label }) => !label), maxSteps: 1 });
    const warnings: string[] = [];
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings.join()).to.include("All 3 evaluation rows are bad");
  });

  it("refuses weights that leave nothing to learn, and a delta that does not act", async () => {
    const { code, message } = await refusal({ desirableWeight: 0, undesirableWeight: 0 });
    expect(code).to.equal("ATTUNE_OPTION");
    expect(message).to.include("nothing would be learned");
    expect((await refusal({ bcoDelta: 1 })).message).to.include("does not act on kto");
    await start({ bcoDelta: 1, loss: "bco", maxSteps: 1 }).result;
  });

  it("refuses an order in which a row would be alone in its step", async () => {
    const { code, message } = await refusal({ batchSize: 5 });
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.include("rows:6 is alone");
    expect((await refusal({ batchSize: 1 })).message).to.include("is alone");
    expect(model.steps).to.deep.equal([]);
  });

  it("takes a row that is alone where it names its mismatched answer, or the loss needs none", async () => {
    const data = thumbs.map((row) => ({ ...row, kl_completion: " own" }));
    await start({ data, batchSize: 5 }, "own").result;
    await start({ batchSize: 5, loss: "apo_zero_unpaired" }, "apo").result;
    await start({ batchSize: 5, maxSteps: 1 }, "never reached").result;
    expect(place.metrics("own")).to.have.length(2);
  });

  it("warns with a suggestion when the weights do not fit the labels", async () => {
    const warnings: string[] = [];
    const data = [...thumbs, { prompt: "g?", completion: " hm", label: false }];
    const run = start({ data, batchSize: 7 });
    for await (const event of run) if (event.type === "warning") warnings.push(event.message);
    expect(warnings).to.deep.equal([
      "3 good answers x 1 against 4 bad ones x 1: a ratio of 0.75, where 1 to 1.33 works best. " +
        "Try --desirable-weight 1.33 to 1.78.",
    ]);
  });

  it("logs only keys that docs/metrics.md defines", async () => {
    await start({ maxSteps: 1 }).result;
    const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    for (const key of Object.keys(place.metrics()[0] ?? {})) expect(docs).to.include(`\`${key}\``);
  });
});
