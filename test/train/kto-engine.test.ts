// kto on the real engine: it learns, and neither micro-batches, the order of rows in a step, threads nor an interruption matter.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { packRows } from "../../lib/data/index.js";
import { createEngine } from "../../lib/engine/index.js";
import { type KtoOptions, kto } from "../../lib/train/index.js";
import { expectSameRun } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

const thumbs = [
  { prompt: "a?", completion: " yes", label: true },
  { prompt: "bb?", completion: " never", label: false },
  { prompt: "ccc?", completion: " y", label: true },
  { prompt: "d?", completion: " no", label: false },
  { prompt: "ee?", completion: " yes yes", label: true },
  { prompt: "a?", completion: " not now", label: false },
  { prompt: "ggg?", completion: " yes please", label: true },
  { prompt: "hh?", completion: " nothing at all", label: false },
];

const losses = ["kto", "apo_zero_unpaired", "bco"] as const;

describe("kto on the engine", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const optionsOf = (options: Partial<KtoOptions>, name: string): KtoOptions => ({
    model: place.model,
    data: thumbs,
    output: place.output(name),
    batchSize: 8,
    epochs: 3,
    learningRate: 1e-3,
    schedule: "constant",
    threads: 1,
    ...options,
  });
  const run = (options: Partial<KtoOptions> = {}, name = "run") => kto(optionsOf(options, name)).result;

  /** Largest relative difference of the keys that training determines. */
  const compare = (one: string, other: string, bar: number) => {
    const lines = place.metrics(other);
    expect(lines.length).to.be.above(0);
    for (const [step, line] of place.metrics(one).entries()) {
      for (const key of [
        "loss",
        "grad_norm",
        "kl",
        "rewards/margins",
        "logps/chosen",
        "logps/rejected",
        "entropy",
      ]) {
        const [value, wanted] = [line[key], lines[step]?.[key]];
        if (wanted === undefined) expect(value, key).to.equal(undefined);
        else
          expect(value, `${key}, step ${step + 1}`).to.be.closeTo(
            wanted,
            bar * Math.max(1e-3, Math.abs(wanted)),
          );
      }
    }
  };

  for (const loss of losses) {
    it(`${loss} learns what is good`, async () => {
      const { first, last } = await run({ loss, epochs: 12 });
      expect(first["rewards/margins"]).to.be.closeTo(0, 1e-6);
      expect(last.loss).to.be.below(first.loss - 0.05);
      expect(last["rewards/margins"]).to.be.above(0.5);
    });

    it(`${loss} in eight micro-batches is the same as in one`, async () => {
      await run({ loss, microBatchTokens: 1 }, "eight");
      await run({ loss, microBatchTokens: 4096 }, "one");
      compare("eight", "one", 2e-5);
    });

    it(`${loss} gives the same whatever the order of the rows in a step`, async () => {
      await run({ loss, shuffle: false }, "in order");
      await run({ loss, shuffle: false, data: thumbs.toReversed() }, "turned round");
      compare("turned round", "in order", 2e-5);
    });
  }

  it("has a KL term above 0 once it has moved", async () => {
    await run({ epochs: 6 });
    const kls = place.metrics().map(({ kl }) => kl ?? Number.NaN);
    expect(kls[0]).to.equal(0);
    expect(Math.max(...kls)).to.be.above(1e-4);
  });

  it("gives the same bits with one thread and with two", async () => {
    await run({ threads: 1 }, "one");
    await run({ threads: 2 }, "two");
    expectSameRun(place.output("one"), place.output("two"));
  });

  it("has the same bits of the KL term in every order of the rows of a step", async () => {
    // One step moves the model, the next one measures it.
    const inOrder = { shuffle: false, batchSize: 8, epochs: 2 } as const;
    await run(inOrder, "order");
    const [, moved] = place.metrics("order");
    expect(moved?.kl).to.be.above(0);
    const engine = await createEngine({ device: "cpu", threads: 1 });
    try {
      const { threads: _, ...options } = optionsOf({ ...inOrder, learningRate: 1e-12 }, "turned round");
      const model = await engine.loadModel(join(place.output("order"), "model"));
      const reference = place.model;
      await kto({ ...options, model, reference }).result;
      await kto({ ...options, model, reference, data: thumbs.toReversed(), output: place.output("again") })
        .result;
    } finally {
      await engine.dispose();
    }
    expect(place.metrics("turned round")[0]?.kl).to.equal(place.metrics("again")[0]?.kl);
  });

  it("gives the same bits with a cache of reference log-probs as without", async () => {
    await run({ batchSize: 4 }, "cached");
    await run({ batchSize: 4, cache: "off" }, "off");
    expectSameRun(place.output("cached"), place.output("off"));
  });

  it("is measured against another reference where one is given", async () => {
    await run({ learningRate: 1e-2 }, "other");
    const { first } = await run({ reference: join(place.output("other"), "model") });
    expect(first["rewards/margins"]).to.be.below(-0.01);
  });

  for (const [name, options] of [
    ["all weights", {}],
    ["an adapter", { adapterRank: 4 }],
    ["evaluations between the steps", { evalData: thumbs.slice(0, 4), evalEvery: 2 }],
  ] as const) {
    it(`leaves no trace when it is stopped and resumed: ${name}`, async () => {
      const shared = { batchSize: 3, epochs: 4, learningRate: 3e-3, ...options };
      await run(shared, "whole");
      const stopped = kto({
        ...optionsOf(shared, "run"),
        onStep: ({ step }) => {
          if (step === 5) void stopped.stop();
        },
      });
      expect(await stopped.result).to.include({ status: "interrupted", steps: 5 });
      rmSync(join(place.output(), "reference"), { recursive: true });
      expect(await run({ ...shared, resume: true })).to.include({ status: "done", steps: 12 });
      expectSameRun(place.output(), place.output("whole"));
    });
  }

  it("sends a prompt through the layers once for all its answers, with the bits that they have alone", async () => {
    const prompt = Int32Array.of(65, 66, 67, 68, 69);
    const data = [[1, 2, 3], [4], [5, 6, 7, 8]].map((ids) => ({
      prompt,
      completions: [Int32Array.from(ids)],
    }));
    const engine = await createEngine({ device: "cpu", threads: 1 });
    try {
      const model = await engine.loadModel(place.model);
      const together = packRows({ data, rows: [0, 1, 2], sharePrompts: true });
      expect(together.counts.tokensComputed).to.equal(5 + 2 + 0 + 3);
      const { logprobs } = await model.forward(together);
      const alone: number[] = [];
      for (const row of [0, 1, 2])
        alone.push(...(await model.forward(packRows({ data, rows: [row] }))).logprobs);
      expect([...logprobs]).to.deep.equal(alone);
    } finally {
      await engine.dispose();
    }
    const same = ["yes", "no", "never", "y"].map((completion, i) => ({
      prompt: "What is said at the counter?",
      completion: ` ${completion}`,
      label: i % 2 === 0,
    }));
    const { first } = await run({ data: same, batchSize: 4, maxSteps: 1, loss: "bco" }, "shared");
    expect(first.tokens_computed).to.be.below(first.tokens / 2);
  });

  it("moves every parameter", async () => {
    const engine = await createEngine({ device: "cpu", threads: 1 });
    try {
      const model = await engine.loadModel(place.model);
      const before = new Map<string, Float32Array>();
      for (const { name } of model.tensors()) before.set(name, await model.parameter(name));
      const { threads: _, ...options } = optionsOf({ model, epochs: 1 }, "run");
      await kto(options).result;
      expect(before.size).to.be.above(0);
      for (const [name, values] of before) {
        const after = await model.parameter(name);
        expect(
          after.some((value, i) => value !== values[i]),
          name,
        ).to.equal(true);
      }
    } finally {
      await engine.dispose();
    }
  });
});
