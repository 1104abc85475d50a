// Metrics of a rollout by hand-worked numbers.

import { expect } from "chai";
import {
  completionMetrics,
  meanAnswerKl,
  objectiveMetrics,
  rewardMetrics,
  startsOf,
} from "../../lib/rollout/index.js";

const none = Number.NaN;

describe("metrics of a rollout", () => {
  it("measure the objective as means over samples", () => {
    const sampled = {
      starts: startsOf([2, 1]),
      logprobs: [-1, -2, -3],
      referenceLogprobs: [-1.5, -1, -5],
    };
    const found = objectiveMetrics({ ...sampled, estimator: "k2", coefficient: 0.1, scores: [1, 4] });
    expect(meanAnswerKl(sampled)).to.equal((0.5 - 1 + 2) / 2);
    expect(found["objective/kl"]).to.be.closeTo((0.125 + 0.5 + 2) / 2, 1e-15);
    expect(found["objective/kl_coef"]).to.equal(0.1);
    expect(found["objective/entropy"]).to.equal(3);
    expect(found["objective/non_score_reward"]).to.be.closeTo((-0.1 * (0.125 + 0.5 + 2)) / 2, 1e-15);
    expect(found["objective/scores"]).to.equal(2.5);
    expect(found["objective/rlhf_reward"]).to.be.closeTo(2.5 - 0.13125, 1e-15);
  });

  it("count lengths and ends", () => {
    const finish = Uint8Array.of(1, 2, 1, 3);
    expect(completionMetrics({ starts: startsOf([1, 8, 3, 8]), finish })).to.deep.equal({
      "val/num_eos_tokens": 2,
      "completions/mean_length": 5,
      "completions/min_length": 1,
      "completions/max_length": 8,
      "completions/mean_terminated_length": 2,
      "completions/clipped_ratio": 0.5,
    });
    const cut = completionMetrics({ starts: startsOf([4]), finish: Uint8Array.of(2) });
    expect(cut["completions/mean_terminated_length"]).to.equal(0);
  });

  it("mean rewards over samples, spread over prompts, and what is missing is left out", () => {
    const found = rewardMetrics({
      scores: Float64Array.of(1, 3, 2, 2, 5, none),
      samples: 2,
      sources: [
        { name: "judge", weight: 1, scores: Float64Array.of(1, 3, 2, 2, 5, none) },
        { name: "silent", weight: 1, scores: new Float64Array(6).fill(none) },
      ],
    });
    expect(found).to.deep.equal({
      reward: 13 / 5,
      reward_std: Math.SQRT2 / 2,
      frac_reward_zero_std: 0.5,
      "rewards/judge/mean": 13 / 5,
    });
  });

  it("spread what answers are compared by, after its treatment", () => {
    const scores = Float64Array.of(1, 3, 2, 4);
    const sources = [{ name: "judge", weight: 1, scores }];
    const found = rewardMetrics({ scores, samples: 2, sources }, Float64Array.of(-1, -1, -1, 4));
    expect(found).to.include({ reward: 2.5, frac_reward_zero_std: 0.5, "rewards/judge/mean": 2.5 });
    expect(found.reward_std).to.be.closeTo(5 / Math.SQRT2 / 2, 1e-12);
  });
});
