// PPO on tiny models and the real engine: it learns, repeats bit for bit, and each of its parts does what it says.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createEngine } from "../../lib/engine/index.js";
import { rolloutFiles } from "../../lib/rollout/index.js";
import { type PpoMetrics, type PpoOptions, ppo } from "../../lib/train/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { writeTinyModel } from "../support/tiny-model.js";
import { lowIds, ppoOptions } from "./online-runs.js";
import { expectSameRun, timelessMetrics } from "./same-run.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("ppo", function () {
  this.timeout(60_000);
  let place: Place;
  beforeEach(() => {
    place = temporaryPlace();
  });
  afterEach(() => place.remove());

  const train = (more: Partial<PpoOptions> = {}) => ppo(ppoOptions(place, more)).result;
  const named = (output: string, more: Partial<PpoOptions> = {}) =>
    train({ ...more, output: place.output(output) });
  const column = (key: string, output?: string) =>
    place.metrics(output).map((line) => line[key] ?? Number.NaN);
  /** A tiny reward model as a whole folder. */
  const rewardFolder = (more: object = {}) => {
    const folder = join(place.folder, "reward");
    writeTinyModel({ folder, kind: "reward", seed: 6, ...more });
    return folder;
  };
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it("raises the reward of a function", async () => {
    await train({ maxSteps: 25, learningRate: 1e-2, beta: 0.01 });
    const rewards = column("reward");
    expect(meanOf(rewards.slice(-4)) - meanOf(rewards.slice(0, 4))).to.be.above(0.2);
  });

  it("raises the score of a reward model, which the value network starts from", async () => {
    const { valueModel: _, rewards: __, ...options } = ppoOptions(place);
    const rates = { learningRate: 5e-3, valueLearningRate: 1e-3, beta: 1e-3 };
    const given = { ...options, ...rates, rewardModel: [rewardFolder()] };
    await ppo({ ...given, samples: 8, maxNewTokens: 3, maxSteps: 30 }).result;
    const rewards = column("reward");
    const spread = meanOf(column("reward_std"));
    expect(meanOf(rewards.slice(-4)) - meanOf(rewards.slice(0, 4))).to.be.above(spread / 2);
  });

  it("gives the same bits for the same seed, whatever the threads and what is decoded at once", async () => {
    await named("one");
    for (const more of [{}, { threads: 2 }, { decodeBatch: 3 }]) {
      await named("other", more);
      expectSameRun(place.output("other"), place.output("one"));
      await named("another", { seed: 1 });
      expect(column("reward", "another")).to.not.deep.equal(column("reward", "one"));
      place.remove();
      place = temporaryPlace();
      await named("one");
    }
  });

  it("gives the same samples and nearly the same numbers in other micro-batches", async () => {
    await named("one", { maxSteps: 1 });
    await named("other", { maxSteps: 1, microBatchTokens: 30 });
    const [one, other] = [timelessMetrics(place.output("one")), timelessMetrics(place.output("other"))];
    expect(Object.keys(one[0] ?? {})).to.deep.equal(Object.keys(other[0] ?? {}));
    for (const [key, value] of Object.entries(one[0] ?? {})) {
      if (typeof value !== "number" || key === "tokens_computed") continue;
      expect(other[0]?.[key], key).to.be.closeTo(value, 1e-5 * Math.abs(value) + 1e-6);
    }
  });

  it("finds ratios of exactly 1 in the first minibatch: the sampler's log-probs are the trainer's", async () => {
    for (const [output, more] of [
      ["plain", {}],
      ["adapter", { adapterRank: 4 }],
      ["cool", { temperature: 0.7, microBatchTokens: 30 }],
    ] as const) {
      await named(output, { ...more, updateEpochs: 1, minibatches: 1 });
      expect(column("val/ratio", output)).to.deep.equal([1, 1, 1, 1]);
      expect(column("policy/approxkl", output)).to.deep.equal([0, 0, 0, 0]);
    }
  });

  it("takes epochs x minibatches optimiser steps per rollout", async () => {
    await train({ updateEpochs: 3, minibatches: 4, maxSteps: 2 });
    expect(column("optimizer_steps")).to.deep.equal([12, 12]);
  });

  it("leaves the rest of a rollout once the policy moved beyond target-kl, and counts", async () => {
    await train({ targetKl: 1e-4, learningRate: 1e-2, updateEpochs: 4 });
    expect(column("stopped_early")).to.deep.equal([1, 1, 1, 1]);
    expect(Math.max(...column("optimizer_steps"))).to.be.below(16);
  });

  it("trains an adapter of the policy and one of the value network on one base", async () => {
    // A reward that is always 1 leaves nothing but a value to learn.
    await train({ adapterRank: 4, learningRate: 1e-2, maxSteps: 12, rewards: (all) => all.map(() => 1) });
    expect(readdirSync(join(place.output(), "model"))).to.include("adapter_model.safetensors");
    const losses = column("loss/value");
    expect(losses.at(-1)).to.be.below((losses[0] ?? 0) / 2);
  });

  it("scores by a reward adapter on the policy's base, and starts the value network from it", async () => {
    const folder = join(place.folder, "reward-adapter");
    await using engine = await createEngine({ threads: 1 });
    const scorer = await engine.loadModel(place.model, {
      adapter: { rank: 2 },
      scoreHead: { init: "normal", heads: 1, seed: 3 },
    });
    await scorer.save(folder);
    const { valueModel: _, rewards: __, ...options } = ppoOptions(place, { adapterRank: 4 });
    await ppo({ ...options, rewardModel: [folder] }).result;
    const { valueModel: ___, rewards: ____, ...whole } = ppoOptions(place, { adapterRank: 4 });
    await ppo({ ...whole, rewardModel: [rewardFolder()], output: place.output("whole") }).result;
    for (const name of ["run", "whole"]) {
      expect(
        column("reward_std", name).every((value) => value > 0),
        name,
      ).to.equal(true);
      expect(
        column("value/grad_norm", name).every((value) => value > 0),
        name,
      ).to.equal(true);
    }
  });

  it("measures the KL over the whole vocabulary at temperature 1", async () => {
    await train({ kl: "full" });
    const kls = column("objective/kl");
    expect(kls[0]).to.equal(0);
    expect(kls.slice(1).every((kl) => kl > 0)).to.equal(true);
  });

  it("steers the adaptive coefficient towards its target", async () => {
    await named("far", { klTarget: 100, klHorizon: 40, beta: 0.1 });
    await named("near", { klTarget: 1e-3, klHorizon: 40, beta: 0.1 });
    // 8 answers of 40, clipped at 0.2: 4 % a step.
    expect(column("objective/kl_coef", "far")).to.satisfy((betas: number[]) =>
      betas.every((beta, step) => Math.abs(beta - 0.1 * 0.96 ** step) < 1e-12),
    );
    const near = column("objective/kl_coef", "near");
    expect(near[3]).to.be.above(0.1);
  });

  it("refuses a horizon over which one step could take the coefficient to zero", () =>
    expectFailure(
      () => train({ klTarget: 6, klHorizon: 1.6 }),
      "ATTUNE_OPTION",
      "Expected kl-horizon above 1.6, a fifth of the answers of a step",
    ));

  it("keeps the loss of pre-training texts lower with them in the update (PPO-ptx)", async () => {
    const ptxData = [{ text: "apples are red" }, { text: "cheese is old" }];
    const shared = { maxSteps: 12, ptxBatchSize: 2, ptxData } as const;
    await named("with", { ...shared, ptxWeight: 1 });
    await named("without", { ...shared, ptxWeight: 1e-9 });
    const [withTexts, without] = [column("ptx_loss", "with"), column("ptx_loss", "without")];
    expect(withTexts.at(-1)).to.be.below((withTexts[0] ?? 0) - 1);
    expect(withTexts.at(-1)).to.be.below((without.at(-1) ?? 0) - 1);
  });

  it("plays an answer as one action, whose first value alone is fitted", async () => {
    await train({ advantage: "sequence", maxSteps: 8 });
    const losses = column("loss/value");
    expect(losses.every((loss) => loss > 0)).to.equal(true);
    expect(column("value/grad_norm").every((norm) => norm > 0)).to.equal(true);
    await named("tokens", { advantage: "gae", maxSteps: 8 });
    expect(losses).to.not.deep.equal(column("loss/value", "tokens"));
  });

  it("samples ahead of the update when asked, and says how stale each rollout is", async () => {
    const slow = async (samples: Parameters<typeof lowIds>[0]) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return lowIds(samples);
    };
    await train({ rewards: slow, maxStaleness: 4 });
    expect(column("staleness")).to.deep.equal([0, 4, 4, 4]);
    // Ratios are taken to the log-probs at the update's start.
    await named("single", { rewards: slow, maxStaleness: 1, updateEpochs: 1, minibatches: 1 });
    expect(column("staleness", "single")).to.deep.equal([0, 1, 1, 1]);
    expect(column("val/ratio", "single")).to.deep.equal([1, 1, 1, 1]);
    await named("strict", { rewards: slow, maxStaleness: 3 });
    expect(column("staleness", "strict")).to.deep.equal([0, 0, 0, 0]);
  });

  for (const [what, more] of [
    ["", {}],
    [" that were stale", { maxStaleness: 4 }],
  ] as const)
    it(`learns from kept rollouts${what} what the run that kept them did`, async () => {
      await named("kept", { ...more, saveRollouts: true });
      const folder = join(place.output("kept"), "rollouts");
      expect((await rolloutFiles(folder)).map(({ number }) => number)).to.deep.equal([0, 1, 2, 3]);
      const never = () => {
        throw new Error("a replay scored again");
      };
      await named("again", { ...more, replay: folder, rewards: never });
      expectSameRun(place.output("again"), place.output("kept"));
    });

  it("names the step whose kept rollout is missing", async () => {
    await named("kept", { saveRollouts: true, maxSteps: 2 });
    const folder = join(place.output("kept"), "rollouts");
    const error = await named("again", { replay: folder, maxSteps: 3 }).catch((reason: Error) => reason);
    expect(String(error)).to.include("step 3");
  });

  it("counts episodes, tokens and answers that ended", async () => {
    const { last } = await train({ maxSteps: 3 });
    expect((last as PpoMetrics).episode).to.equal(24);
    expect(column("tokens").every((tokens) => tokens > 0)).to.equal(true);
  });
});
