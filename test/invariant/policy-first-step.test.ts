// The first step on samples of the policy itself: the trainer's log-probs are the sampler's, bit for bit, so that every
// ratio is exactly 1, at any temperature. Tiny models of every kind on every instruction set.

import { expect } from "chai";
import { type PackedBatch, packRows } from "../../lib/data/index.js";
import type { PolicyLoss, PolicyRatio } from "../../lib/engine/contract.js";
import type { Model } from "../../lib/engine/index.js";
import { promptsOf, sampleAll } from "../support/sample-all.js";
import { expectSameBits, firstDifference } from "./same-bits.js";
import { forEachModel } from "./tiny-suite.js";

const SAMPLES = 2;
const prompts = promptsOf([1, 3, 40, 17]);
/** 0 is greedy, whose log-probs are those of temperature 1. */
const temperatures = [0, 0.3, 0.7, 1, 1.6];
const ratios: readonly PolicyRatio[] = ["token", "sequence", "sequence-mean"];

interface Rollout {
  readonly batch: PackedBatch;
  /** [targets] the sampler's. */
  readonly logprobs: Float32Array;
}

async function sample(model: Model, temperature: number): Promise<Rollout> {
  const options = { maxNewTokens: 12, samples: SAMPLES, temperature, seed: 5, stopTokens: [9] };
  const { sequences } = await sampleAll({ model, prompts, options });
  const data = prompts.map((prompt, row) => ({
    prompt,
    completions: sequences
      .slice(row * SAMPLES, (row + 1) * SAMPLES)
      .map(({ tokens }) => Int32Array.from(tokens)),
  }));
  return {
    batch: packRows({ data, rows: data.map((_, row) => row) }),
    logprobs: Float32Array.from(sequences.flatMap(({ modelLogprobs }) => modelLogprobs)),
  };
}

function lossOf({ batch, logprobs }: Rollout, ratio: PolicyRatio, temperature: number): PolicyLoss {
  const ratioCount = ratio === "token" ? batch.counts.targets : batch.completions.length / 2;
  return {
    kind: "policy",
    form: "clip",
    ratio,
    normaliser: batch.counts.targets,
    clipLow: 0.2,
    clipHigh: 0.2,
    advantages: Float64Array.from({ length: ratioCount }, (_, i) => ((i % 3) - 1) / 2),
    oldLogprobs: Float64Array.from(logprobs),
    entropyWeight: 0.01,
    temperature: temperature === 0 ? 1 : temperature,
  };
}

describe("invariant: a first step on the policy's own samples", () => {
  forEachModel(({ load }) => {
    let model: Model;
    before(async () => {
      model = await load();
    });
    after(() => model?.dispose());

    for (const temperature of temperatures) {
      it(`has ratios of exactly 1 at temperature ${temperature}`, async () => {
        const rollout = await sample(model, temperature);
        for (const ratio of ratios) {
          const loss = lossOf(rollout, ratio, temperature);
          const { policy } = await model.step(rollout.batch, loss);
          await model.clearGradients();
          expectSameBits(policy?.logprobs ?? [], rollout.logprobs);
          const ratioCount = loss.advantages.length;
          expect(policy, ratio).to.include({
            count: rollout.batch.counts.targets,
            ratios: ratioCount,
            ratio: ratioCount,
            ratioSquared: ratioCount,
            approxKl: 0,
            clipped: 0,
            clippedLow: 0,
            clippedHigh: 0,
            kl: 0,
          });
          expect(Math.abs(policy?.k1 ?? Number.NaN), ratio).to.equal(0);
        }
      });
    }

    it("sees another temperature than the sampler's", async () => {
      const rollout = await sample(model, 0.7);
      const { policy } = await model.evaluate(rollout.batch, lossOf(rollout, "token", 0.71));
      expect(firstDifference(policy?.logprobs ?? [], rollout.logprobs)).to.be.a("string");
      expect(policy?.approxKl).to.be.above(0);
    });
  });
});
