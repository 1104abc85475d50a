// Answers to fixed prompts while the model learns: on the real engine, since they are what its sampler says.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type Sample, type SampleEvent, type SftOptions, sft } from "../../lib/train/index.js";
import { demonstrations, type Place, temporaryPlace } from "./training-rows.js";

describe("samples during training", () => {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const start = (options: Partial<SftOptions> = {}) =>
    sft({
      model: place.model,
      data: demonstrations,
      output: place.output(),
      batchSize: 5,
      epochs: 60,
      learningRate: 1e-2,
      threads: 1,
      sampleEvery: 40,
      sampleTokens: 16,
      ...options,
    });
  const samples = (name?: string) =>
    readFileSync(join(place.output(name), "samples.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Sample);

  it("are taken before the first step, every so many steps and at the end", async () => {
    await start({ samplePrompts: 1 }).result;
    expect(samples().map(({ step }) => step)).to.deep.equal([0, 40, 60]);
  });

  it("show what was learned", async () => {
    await start().result;
    const last = samples().filter(({ step }) => step === 60);
    const expected = demonstrations.slice(0, 4).map(({ prompt, completion }) => ({
      step: 60,
      prompt,
      completion,
      finished: "stop",
    }));
    expect(last).to.deep.equal(expected);
  });

  it("answer the evaluation rows' prompts where there are any", async () => {
    await start({ evalData: demonstrations.slice(3), maxSteps: 1 }).result;
    expect(samples().map(({ prompt }) => prompt)).to.deep.equal(["d?", "ee?", "d?", "ee?"]);
  });

  it("are told as events", async () => {
    const events: SampleEvent[] = [];
    for await (const event of start({ maxSteps: 1 })) if (event.type === "sample") events.push(event);
    expect(events.map(({ type: _, ...sample }) => sample)).to.deep.equal(samples());
    expect(events).to.have.length(8);
  });

  it("leave the training as it is without them", async () => {
    const one = await start({ maxSteps: 3, sampleEvery: 1 }).result;
    const other = await start({ maxSteps: 3, sampleEvery: 0, output: place.output("other") }).result;
    expect(one.last.loss).to.equal(other.last.loss);
    expect(existsSync(join(place.output("other"), "samples.jsonl"))).to.equal(false);
  });

  it("are those of an undisturbed run after it was stopped and resumed", async () => {
    await start({ sampleEvery: 2, maxSteps: 9, output: place.output("whole") }).result;
    const run = start({
      sampleEvery: 2,
      maxSteps: 9,
      saveEvery: 3,
      onStep: ({ step }) => {
        if (step === 5) throw new Error("killed");
      },
    });
    await run.result.catch(() => undefined);
    expect(samples().at(-1)?.step, "after the checkpoint of step 3").to.equal(4);
    await start({ sampleEvery: 2, maxSteps: 9, resume: true }).result;
    expect(samples()).to.deep.equal(samples("whole"));
  });
});
