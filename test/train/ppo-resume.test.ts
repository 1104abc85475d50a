// A PPO run that is stopped, or killed, and resumed: nobody can tell it from one that was let be.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { type PpoOptions, ppo } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { expectNoTraceOfKills } from "./killed-runs.js";
import { ppoOptions, questions } from "./online-runs.js";
import { expectSameRun, timelessMetrics } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("a ppo run that is stopped and resumed", function () {
  this.timeout(60_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const start = (more: Partial<PpoOptions>, stopAt?: number) => {
    const run = ppo({
      ...ppoOptions(place, { maxSteps: 6, ...more }),
      onStep: ({ step }) => {
        if (step === stopAt) void run.stop();
      },
    });
    return run.result;
  };
  const alarmsOf = (name: string) => {
    const path = join(place.output(name), "alarms.jsonl");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };

  const expectNoTrace = async (more: Partial<PpoOptions>, stops: readonly number[] = [2, 3]) => {
    await start({ ...more, output: place.output("whole") });
    for (const [i, stop] of stops.entries()) {
      const { status, steps } = await start({ ...more, resume: i > 0 }, stop);
      expect([status, steps]).to.deep.equal(["interrupted", stop]);
    }
    const { status, steps } = await start({ ...more, resume: true });
    expect([status, steps]).to.deep.equal(["done", 6]);
    expectSameRun(place.output(), place.output("whole"));
    expect(alarmsOf("run")).to.equal(alarmsOf("whole"));
  };

  it("leaves no trace: all weights", () => expectNoTrace({}));
  it("leaves no trace: adapters of policy and value network", () => expectNoTrace({ adapterRank: 4 }));
  it("leaves no trace: bf16", () => expectNoTrace({ dtype: "bf16" }));
  it("leaves no trace: stopped after the first step, with checkpoints in between", () =>
    expectNoTrace({ saveEvery: 1, keepCheckpoints: 1 }, [1, 4, 5]));

  it("leaves no trace: a value network from a reward model", async () => {
    const folder = join(place.folder, "reward");
    writeTinyModel({ folder, kind: "reward", seed: 6 });
    const reward = { rewardModel: [folder], valueModel: folder, valueLearningRate: 1e-3 };
    await expectNoTrace(reward);
  });

  it("leaves no trace: adaptive coefficient, normalised scores, texts, a schedule", () =>
    expectNoTrace({
      klTarget: 0.5,
      klHorizon: 40,
      normaliseScores: true,
      ptxData: [{ text: "apples are red" }, { text: "cheese is old" }, { text: "the sky" }],
      ptxBatchSize: 2,
      schedule: "cosine",
    }));

  it("leaves no trace: evaluations with a gold score, alarms raised before and after", () =>
    expectNoTrace({
      evalData: questions.slice(0, 2),
      evalEvery: 1,
      gold: (samples) => samples.map(({ completion }) => -completion.filter((id) => id < 64).length),
      klBudget: 0.4,
      learningRate: 1e-2,
    }));

  it("leaves no trace while a rollout lies ahead, and keeps it in the checkpoint", async () => {
    const calls: number[] = [];
    const rewards = async (samples: readonly { readonly completion: Int32Array }[]) => {
      calls.push(samples.length);
      return samples.map(({ completion }) => (completion[0] ?? 0) / 256);
    };
    await expectNoTrace({ rewards, maxStaleness: 4 });
    const stale = timelessMetrics(place.output()).map(({ staleness }) => staleness);
    expect(stale).to.deep.equal([0, 4, 4, 4, 4, 4]);
    // Each of both runs scores each of the six rollouts once: what lay ahead came out of the checkpoint.
    expect(calls).to.have.lengthOf(12);
    const folder = join(place.output(), "checkpoints", "step-3");
    expect(readdirSync(folder).toSorted()).to.deep.equal([
      "checkpoint.json",
      "rollout-000003.bin",
      "state.safetensors",
      "value.safetensors",
    ]);
  });

  it("goes on with kept rollouts and keeps each once", async () => {
    await expectNoTrace({ saveRollouts: true });
    const names = (name: string) => readdirSync(join(place.output(name), "rollouts")).toSorted();
    expect(names("run")).to.deep.equal(names("whole"));
    for (const name of names("run")) {
      const [one, other] = ["run", "whole"].map((run) =>
        readFileSync(join(place.output(run), "rollouts", name)),
      );
      expect(one?.equals(other ?? Buffer.alloc(0)), name).to.equal(true);
    }
  });

  it("leaves no trace while it replays kept rollouts", async () => {
    await start({ saveRollouts: true, output: place.output("kept") });
    await expectNoTrace({ replay: join(place.output("kept"), "rollouts") });
    expectSameRun(place.output(), place.output("kept"));
  });

  it("leaves no trace under the stop rule, and ends with the best step's model", () =>
    expectNoTrace({
      evalData: questions,
      evalSamples: 4,
      evalEvery: 1,
      // Of what is rewarded, so that it rises.
      gold: (samples) => samples.map(({ completion }) => completion.filter((id) => id < 64).length),
      stopRule: true,
      klBudget: 1000,
    }));

  it("refuses another reward model, and other prompts", async () => {
    const folder = join(place.folder, "reward");
    writeTinyModel({ folder, kind: "reward", seed: 6 });
    const { rewards: _, ...options } = ppoOptions(place, { maxSteps: 6, rewardModel: [folder] });
    const run = ppo({ ...options, onStep: ({ step }) => void (step === 2 && run.stop()) });
    await run.result;
    writeTinyModel({ folder, kind: "reward", seed: 7 });
    const changed = await failureOf(() => ppo({ ...options, resume: true }).result);
    expect(changed.code).to.equal("ATTUNE_RESUME");
    expect(changed.message).to.include("reward 1 was");
    const other = { ...options, data: questions.slice(1), resume: true, maxSteps: 6 };
    expect((await failureOf(() => ppo(other).result)).message).to.include("rows was");
  });

  it("leaves no trace of SIGKILL", () =>
    expectNoTraceOfKills({ place, trainer: "ppo", options: {}, delays: [3, 60] }));

  it("leaves no trace of SIGKILL while rollouts lie ahead, with adapters", () =>
    expectNoTraceOfKills({
      place,
      trainer: "ppo",
      options: { adapterRank: 4, maxStaleness: 4, saveEvery: 2 },
      delays: [20],
    }));
});
