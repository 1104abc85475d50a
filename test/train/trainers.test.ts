// The trainers on the real engine: they learn, and what must not matter does not matter.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine, type Engine, type Model } from "../../lib/engine/index.js";
import { type DpoOptions, dpo, type SftOptions, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

/** Metrics that depend on time and memory, not on the mathematics. */
const timed = ["step_ms", "tokens_per_second", "peak_rss_bytes"];

function timeless(lines: readonly Record<string, number>[]) {
  return lines.map((line) =>
    Object.fromEntries(Object.entries(line).filter(([key]) => !timed.includes(key))),
  );
}

describe("trainers on the engine", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const runSft = (options: Partial<SftOptions> = {}, name = "run") =>
    sft({
      model: place.model,
      data: demonstrations,
      output: place.output(name),
      batchSize: 5,
      epochs: 3,
      learningRate: 3e-3,
      schedule: "constant",
      threads: 1,
      ...options,
    }).result;
  const runDpo = (options: Partial<DpoOptions> = {}, name = "run") =>
    dpo({
      model: place.model,
      data: pairs,
      output: place.output(name),
      batchSize: 5,
      epochs: 3,
      learningRate: 1e-3,
      schedule: "constant",
      threads: 1,
      ...options,
    }).result;

  for (const dtype of ["fp32", "bf16"] as const) {
    it(`sft brings the loss of a few rows down in ${dtype}`, async () => {
      const { first, last } = await runSft({ epochs: 30, dtype });
      expect(first.loss).to.be.above(3);
      expect(last.loss).to.be.below(first.loss / 2);
    });

    it(`dpo starts at log 2 and learns which side was chosen in ${dtype}`, async () => {
      const { first, last } = await runDpo({ epochs: 15, dtype });
      expect(first.loss).to.be.closeTo(Math.LN2, 1e-6);
      expect(first["rewards/accuracies"]).to.equal(0);
      expect(last["rewards/accuracies"]).to.equal(1);
      expect(last.loss).to.be.below(0.4);
    });
  }

  for (const [name, run] of [
    ["sft", runSft],
    ["dpo", runDpo],
  ] as const) {
    it(`${name} gives the same bits when it runs again`, async () => {
      await run({}, "one");
      await run({}, "two");
      expect(timeless(place.metrics("one"))).to.deep.equal(timeless(place.metrics("two")));
    });

    it(`${name} gives the same bits with one thread and with two`, async () => {
      await run({ threads: 1 }, "one");
      await run({ threads: 2 }, "two");
      expect(timeless(place.metrics("one"))).to.deep.equal(timeless(place.metrics("two")));
    });

    it(`${name} gives the same losses in micro-batches of one row as in one of all`, async () => {
      await run({ microBatchTokens: 1 }, "small");
      await run({ microBatchTokens: 4096 }, "large");
      const small = place.metrics("small");
      for (const [i, large] of place.metrics("large").entries()) {
        for (const key of ["loss", "grad_norm", "entropy"]) {
          expect(small[i]?.[key], `${key} of step ${i + 1}`).to.be.closeTo(
            large[key] ?? Number.NaN,
            1e-5 * Math.abs(large[key] ?? 0),
          );
        }
      }
    });
  }

  const wrongInputs: readonly [string, object][] = [
    ["model", { model: null }],
    ["model", { model: { name: "no model" } }],
    ["signal", { signal: {} }],
    ["onStep", { onStep: 5 }],
  ];
  for (const [name, wrong] of wrongInputs) {
    it(`name ${name} at once when it cannot be used: ${JSON.stringify(wrong)}`, async () => {
      const error = await failureOf(() => runSft(wrong));
      expect([error.code, error.exitCode]).to.deep.equal(["ATTUNE_OPTION", 2]);
      expect(error.message).to.match(new RegExp(`^Expected ${name} to be .* but received `));
      expect(existsSync(place.output())).to.equal(false);
    });
  }

  it("dpo gives the same bits with cached reference log-probs as without", async () => {
    await runDpo({ shuffle: true }, "cached");
    await runDpo({ shuffle: true, cache: "off" }, "uncached");
    expect(timeless(place.metrics("cached"))).to.deep.equal(timeless(place.metrics("uncached")));
  });

  it("dpo of a new adapter shares the cached reference of its base with dpo of the whole model", async () => {
    const cache = join(place.folder, "cache");
    await runDpo({ cache }, "whole");
    await runDpo({ cache, adapterRank: 2 }, "adapter");
    expect(readdirSync(cache)).to.have.length(1);
    const lines = readFileSync(join(cache, readdirSync(cache)[0] ?? ""), "utf8")
      .trim()
      .split("\n");
    expect(lines).to.have.length(pairs.length);
  });

  it("a row of weight 0 leaves no trace in the gradient", async () => {
    const silent = { prompt: "ff?", completion: " anything", weight: 0 };
    const counted = demonstrations.reduce((sum, { completion }) => sum + completion.length + 1, 0);
    await runSft({ maxSteps: 1 }, "without");
    await runSft({ maxSteps: 1, batchSize: 6, data: [...demonstrations, silent] }, "with");
    const [without, having] = [place.metrics("without")[0], place.metrics("with")[0]];
    // Its targets still count, so everything shrinks by their share and by nothing else.
    const share = counted / (counted + silent.completion.length + 1);
    expect(having?.grad_norm).to.be.closeTo((without?.grad_norm ?? 0) * share, 1e-5);
    expect(having?.loss).to.be.closeTo((without?.loss ?? 0) * share, 1e-5);
  });

  describe("with a model that the caller loaded", () => {
    let engine: Engine;
    let model: Model;
    beforeEach(async () => {
      engine = await createEngine({ device: "cpu", threads: 1 });
      model = await engine.loadModel(place.model);
    });
    afterEach(() => engine.dispose());

    it("train it in place, every tensor of it", async () => {
      const before = new Map<string, Float32Array>();
      for (const { name } of model.tensors()) before.set(name, await model.parameter(name));
      await sft({ model, data: demonstrations, output: place.output(), learningRate: 1e-3 }).result;
      for (const [name, values] of before) {
        const after = await model.parameter(name);
        expect(
          after.some((value, i) => value !== values[i]),
          name,
        ).to.equal(true);
      }
    });

    it("save a folder that gives the same log-probs when it is loaded", async () => {
      const { model: folder } = await sft({ model, data: demonstrations, output: place.output() }).result;
      const loaded = await engine.loadModel(folder);
      const row = [{ prompt: "a?", completion: " one" }];
      expect(await loaded.logprobs(row)).to.deep.equal(await model.logprobs(row));
    });

    it("refuse it while another run trains it, and take it afterwards", async () => {
      const run = (name: string) => sft({ model, data: demonstrations, output: place.output(name) }).result;
      const first = run("first");
      const error = await failureOf(() => run("second"));
      expect(error.code).to.equal("ATTUNE_OPTION");
      expect(error.message).to.include("no other run trains");
      expect(existsSync(place.output("second"))).to.equal(false);
      await first;
      expect((await run("third")).status).to.equal("done");
    });

    it("do not take log-probs of an adapter's untrained base for those of the trained one", async () => {
      const cache = join(place.folder, "shared");
      const adapt = async (name: string) => {
        await using policy = await model.addAdapter({ rank: 2 });
        return await dpo({ model: policy, data: pairs, output: place.output(name), cache }).result;
      };
      await adapt("before");
      await sft({ model, data: demonstrations, output: place.output("sft"), learningRate: 1e-2 }).result;
      expect((await adapt("after")).first.loss).to.be.closeTo(Math.LN2, 1e-6);
    });

    it("leave it usable after a run that failed", async () => {
      const data = [{ ...demonstrations[0], weight: Number.MAX_VALUE }, ...demonstrations.slice(1)];
      const error = await failureOf(
        () => sft({ model, data, output: place.output(), shuffle: false, batchSize: 5 }).result,
      );
      expect(error.code).to.equal("ATTUNE_NOT_FINITE");
      expect(error.message).to.include("step 1");
      expect(existsSync(join(place.output(), "model"))).to.equal(false);
      const { status } = await sft({ model, data: demonstrations, output: place.output("next") }).result;
      expect(status).to.equal("done");
    });
  });
});
