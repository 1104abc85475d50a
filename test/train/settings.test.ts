// What the trainers make of their options before they load anything: learning rates, adapters, contradictions.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parse } from "yaml";
import { createEngine } from "../../lib/engine/index.js";
import { type DpoOptions, dpo, type SftOptions, sft } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { demonstrations, type Place, pairs, temporaryPlace } from "./training-rows.js";

describe("settings of a run", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const shared = () => ({ model: place.model, output: place.output(), maxSteps: 1, threads: 1 });
  const sftRun = (options: Partial<SftOptions> = {}) =>
    sft({ ...shared(), data: demonstrations, ...options });
  const dpoRun = (options: Partial<DpoOptions> = {}) => dpo({ ...shared(), data: pairs, ...options });
  const config = (name?: string) =>
    parse(readFileSync(join(place.output(name), "config.yaml"), "utf8")) as Record<string, unknown>;

  const rates: readonly [string, () => { readonly result: Promise<unknown> }, number][] = [
    ["sft of all weights", () => sftRun(), 2e-5],
    ["sft of an adapter", () => sftRun({ adapterRank: 4 }), 2e-4],
    ["dpo of all weights", () => dpoRun(), 1e-6],
    ["dpo of an adapter", () => dpoRun({ adapterRank: 4 }), 1e-5],
    ["what was asked for", () => dpoRun({ adapterRank: 4, learningRate: 3e-4 }), 3e-4],
  ];
  for (const [what, run, rate] of rates) {
    it(`have the learning rate of ${what}, and say it in config.yaml`, async () => {
      await run().result;
      expect(config()["learning-rate"]).to.equal(rate);
    });
  }

  it("have smaller micro-batches for an adapter than for all weights, unless they are asked for", async () => {
    await sftRun({ output: place.output("full") }).result;
    await sftRun({ output: place.output("adapter"), adapterRank: 4 }).result;
    await sftRun({ output: place.output("asked"), adapterRank: 4, microBatchTokens: 4096 }).result;
    const sizes = ["full", "adapter", "asked"].map((name) => config(name)["micro-batch-tokens"]);
    expect(sizes).to.deep.equal([2048, 1024, 4096]);
  });

  it("have the adapter's learning rate for a model that was loaded with one", async () => {
    const engine = await createEngine({ threads: 1 });
    try {
      const model = await engine.loadModel(place.model, { adapter: { rank: 4 } });
      await sft({ model, data: demonstrations, output: place.output(), maxSteps: 1 }).result;
      expect(config()["learning-rate"]).to.equal(2e-4);
    } finally {
      await engine.dispose();
    }
  });

  it("train a new adapter of the rank, scale and layers that were asked for", async () => {
    const adapterTargets = ["q_proj", "down_proj"];
    await sftRun({ adapterRank: 6, adapterAlpha: 9, adapterTargets, rsLora: true }).result;
    const file = join(place.output(), "model", "adapter_config.json");
    const written = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect(written).to.deep.include({ r: 6, lora_alpha: 9, use_rslora: true });
    expect([...(written.target_modules as string[])].toSorted()).to.deep.equal(["down_proj", "q_proj"]);
  });

  it("train an adapter on from its folder", async () => {
    await sftRun({ adapterRank: 4, maxSteps: 3, learningRate: 1e-2 }).result;
    const adapter = join(place.output(), "model");
    const further = await sftRun({ adapter, output: place.output("on"), learningRate: 1e-2 }).result;
    const fresh = await sftRun({ adapterRank: 4, output: place.output("fresh"), learningRate: 1e-2 }).result;
    expect(further.first.loss).to.be.below(fresh.first.loss - 0.01);
  });

  it("read several files and folders of rows", async () => {
    const files = demonstrations.map((row, i) => {
      const file = join(place.folder, `rows-${i}.jsonl`);
      writeFileSync(file, `${JSON.stringify(row)}\n`);
      return file;
    });
    const options = { maxSteps: 2, tokenCache: "off" };
    const { rows } = await sftRun({ ...options, data: files }).result;
    expect(rows.kept).to.equal(5);
    const pattern = join(place.folder, "rows-*.jsonl");
    const again = await sftRun({ ...options, data: pattern, output: place.output("pattern") }).result;
    expect(again.rows.kept).to.equal(5);
    expect(config("pattern").data).to.deep.equal([pattern]);
  });

  it("do not keep resume and its permission in config.yaml", async () => {
    await sftRun().result;
    expect(config()).to.not.have.any.keys("resume", "allow-changes");
  });

  const contradictions: readonly [string, Partial<SftOptions>, string][] = [
    ["a folder and a rank", { adapter: "a", adapterRank: 4 }, "adapter-rank"],
    ["a scale without a rank", { adapterAlpha: 4 }, "adapter-alpha"],
    ["layers without a rank", { adapterTargets: ["q_proj"] }, "adapter-targets"],
    ["another scaling without a rank", { rsLora: true }, "rs-lora"],
  ];
  for (const [what, options, name] of contradictions) {
    it(`are refused at once with ${what}`, () => {
      expect(() => sftRun(options)).to.throw(`Expected no ${name} here`);
    });
  }

  it("are refused with an adapter for a model that is loaded", async () => {
    const engine = await createEngine({ threads: 1 });
    try {
      const model = await engine.loadModel(place.model);
      const error = await failureOf(() =>
        sft({ model, data: demonstrations, output: place.output(), adapterRank: 4 }),
      );
      expect(error.message).to.include("adapterRank has no effect on a model that is already loaded");
    } finally {
      await engine.dispose();
    }
  });
});
