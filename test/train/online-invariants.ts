// What holds for every online trainer: its reward rises, and neither micro-batches, threads nor an interruption leave a trace.
// The trainer is given; must not know it.

import { expect } from "chai";
import type { OnlineMetrics, StepEvent, TrainRun } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import {
  evenness,
  expectCloseRuns,
  expectEqualRuns,
  meanOver,
  prompts,
  tinySettings,
  trainLines,
} from "./online-world.js";
import { expectSameRun } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

type Settings = Readonly<Record<string, unknown>>;
export type Start = (settings: Settings) => TrainRun<OnlineMetrics>;

export interface Invariants {
  readonly start: Start;
  /** With which the reward rises from about 0.5 beyond 0.7 in 15 steps. */
  readonly learns: Settings;
}

/** Call inside `describe`. Returns how its tests start a run: name of the output, settings. */
export function itIsAnOnlineTrainer({ start, learns }: Invariants) {
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const begin = (name: string, settings: Settings = {}) =>
    start({
      ...tinySettings,
      model: place.model,
      samples: 4,
      epochs: 4,
      learningRate: 3e-3,
      ...settings,
      output: place.output(name),
    });
  const run = (name: string, settings: Settings = {}) => begin(name, settings).result;
  /** Several optimiser steps on a rollout, so that ratios and pairs are seen away from the policy that sampled. */
  const several = { updateEpochs: 2, minibatches: 2, beta: 0.1, adamEpsilon: 1e-3 };

  it("raises the reward of fresh answers", async () => {
    await run("run", { epochs: 15, learningRate: 1e-2, samples: 8, ...learns });
    const lines = trainLines(place.output());
    expect(lines.length).to.equal(15);
    const [before, after] = [meanOver(lines.slice(0, 3), "reward"), meanOver(lines.slice(-3), "reward")];
    expect(before).to.be.within(0.4, 0.6);
    expect(after).to.be.above(0.7);
  });

  it("gives the same in micro-batches of a row or two as in one of all", async () => {
    await run("small", { ...several, microBatchTokens: 1 });
    await run("large", { ...several, microBatchTokens: 4096 });
    expectCloseRuns(place.output("small"), place.output("large"));
  });

  it("gives the same bits with one thread and with two", async () => {
    await run("one", several);
    await run("two", { ...several, threads: 2 });
    expectEqualRuns(place.output("one"), place.output("two"));
  });

  it("leaves no trace of a stop, with looks at evaluation prompts and a rollout ahead", async () => {
    const settings = { ...several, evalData: prompts.slice(0, 3), evalEvery: 2, maxStaleness: 8 };
    await run("whole", { ...settings, epochs: 6 });
    const stopped: TrainRun<OnlineMetrics> = begin("run", {
      ...settings,
      epochs: 6,
      onStep: ({ step }: StepEvent<OnlineMetrics>) => {
        if (step === 3) void stopped.stop();
      },
    });
    const { status, steps } = await stopped.result;
    expect([status, steps]).to.deep.equal(["interrupted", 3]);
    await run("run", { ...settings, epochs: 6, resume: true });
    expectSameRun(place.output("run"), place.output("whole"));
    const lines = trainLines(place.output("run"));
    expect(lines.map(({ staleness }) => staleness)).to.include(4);
  });

  it("learns from kept rollouts as from the samples themselves", async () => {
    await run("kept", { ...several, saveRollouts: true });
    await run("replayed", { ...several, replay: `${place.output("kept")}/rollouts` });
    expectEqualRuns(place.output("kept"), place.output("replayed"));
  });

  it("trains an adapter against its base", async () => {
    await run("run", { adapterRank: 4, beta: 0.1, epochs: 3, learningRate: 3e-2 });
    const kl = trainLines(place.output()).map((line) => line["overopt/sqrt_kl"]);
    expect(kl[0]).to.equal(0);
    expect(kl.at(-1)).to.be.above(0);
  });

  it("refuses what contradicts itself", async () => {
    const refusal = async (settings: Settings) => (await failureOf(() => run("run", settings))).message;
    expect(await refusal({ minibatches: 25 })).to.include("minibatches");
    expect(await refusal({ samples: 1 })).to.include("samples");
    expect(await refusal({ clipp: 1 })).to.include('"clipp"');
    expect(await refusal({ rewards: undefined })).to.include("something that scores answers");
    expect(await refusal({ rewards: [evenness, evenness] })).to.include("evenness");
  });

  return { run, output: (name?: string) => place.output(name) };
}
