// The arithmetic between a rollout and a loss, by hand-worked numbers; the oracle has larger ones.

import { expect } from "chai";
import {
  clipScores,
  controlKl,
  generalisedAdvantages,
  groupAdvantages,
  leaveOneOutAdvantages,
  noMoments,
  normaliseScores,
  penalisedScores,
  sequenceAdvantages,
  stalenessWeights,
  startsOf,
  tokenKl,
  tokenRewards,
  treatMissingEos,
  whiten,
  withScores,
} from "../../lib/rollout/index.js";
import { expectFailure } from "../errors/expect-failure.js";

const none = Number.NaN;

describe("scores of a rollout", () => {
  const scores = [2, 3, none];
  const ended = [1, 0, 0];

  it("of answers that did not end are replaced, lessened or left; no reward stays none", () => {
    const treated = (treatment: "replace" | "subtract" | "none", value?: number) =>
      Array.from(treatMissingEos({ scores, ended, treatment, ...(value === undefined ? {} : { value }) }));
    expect(treated("replace")).to.deep.equal([2, -1, none]);
    expect(treated("replace", -5)).to.deep.equal([2, -5, none]);
    expect(treated("subtract")).to.deep.equal([2, 2, none]);
    expect(treated("subtract", 0.5)).to.deep.equal([2, 2.5, none]);
    expect(treated("none")).to.deep.equal([2, 3, none]);
  });

  it("are clipped to both sides", () => {
    expect(Array.from(clipScores([-9, 0.5, 7, none], 2))).to.deep.equal([-2, 0.5, 2, none]);
    return expectFailure(() => clipScores([1], 0), "ATTUNE_OPTION", "above 0");
  });

  it("have running moments that do not depend on where they were saved", () => {
    const values = [1, 4, none, -2, 7, 0.25];
    const whole = withScores(noMoments, values);
    const saved = JSON.parse(JSON.stringify(withScores(noMoments, values.slice(0, 3))));
    expect(withScores(saved, values.slice(3))).to.deep.equal(whole);
    expect(whole.count).to.equal(5);
    expect(whole.mean).to.be.closeTo(2.05, 1e-12);
  });

  it("are normalised by the mean and the deviation so far", () => {
    const moments = withScores(noMoments, [1, 3]);
    const [low, high, nothing] = normaliseScores([1, 3, none], moments);
    expect(low).to.be.closeTo(-1, 1e-7);
    expect(high).to.be.closeTo(1, 1e-7);
    expect(nothing).to.be.NaN;
  });
});

describe("rewards of tokens", () => {
  const starts = startsOf([2, 1]);
  const logprobs = [-1, -2, -3];
  const referenceLogprobs = [-1.5, -1, -3];
  const request = { starts, logprobs, referenceLogprobs, coefficient: 0.5, scores: [10, 20] };

  it("are the penalty at each and the score at the last", () => {
    expect(Array.from(tokenRewards({ ...request, estimator: "k1" }))).to.deep.equal([-0.25, 10.5, 20]);
    expect(Array.from(tokenRewards({ ...request, estimator: "k2" }))).to.deep.equal([-0.0625, 9.75, 20]);
  });

  it("take k3 and exact divergences", () => {
    const k3 = tokenKl({ ...request, estimator: "k3" });
    expect(k3[0]).to.be.closeTo(Math.exp(-0.5) - 1 + 0.5, 1e-15);
    expect(k3[1]).to.be.closeTo(Math.exp(1) - 1 - 1, 1e-15);
    expect(k3[2]).to.equal(0);
    const exact = tokenRewards({ ...request, estimator: "full", exactKl: [1, 2, 3] });
    expect(Array.from(exact)).to.deep.equal([-0.5, 9, 18.5]);
  });

  it("need exact divergences for full, a score for every sample and one value per token", async () => {
    await expectFailure(() => tokenKl({ ...request, estimator: "full" }), "ATTUNE_OPTION", "exactKl");
    await expectFailure(
      () => tokenRewards({ ...request, estimator: "k1", scores: [1, none] }),
      "ATTUNE_REWARD",
      "sample 1 has none",
    );
    await expectFailure(
      () => tokenRewards({ ...request, estimator: "k1", logprobs: [1] }),
      "ATTUNE_SHAPE",
      "logprobs: expected one value per token (3) but received 1",
    );
    await expectFailure(
      () => tokenRewards({ ...request, estimator: "k1", starts: startsOf([3, 0]) }),
      "ATTUNE_SHAPE",
      "sequence 1",
    );
  });

  it("of a whole answer are its score less the penalty of its log-ratio", () => {
    expect(Array.from(penalisedScores(request))).to.deep.equal([10.25, 20]);
  });
});

describe("whitening", () => {
  const values = [1, 2, 3, 6];

  it("centres and scales apart", () => {
    const centred = whiten(values, { center: true, scale: false });
    expect(Array.from(centred)).to.deep.equal([-2, -1, 0, 3]);
    const scaled = whiten(values, { center: false, scale: true });
    const mean = scaled.reduce((sum, value) => sum + value, 0) / 4;
    expect(mean).to.be.closeTo(3, 1e-12);
    const both = whiten(values, { center: true, scale: true });
    expect(both.reduce((sum, value) => sum + value, 0)).to.be.closeTo(0, 1e-12);
    expect(both.reduce((sum, value) => sum + value * value, 0) / 4).to.be.closeTo(1, 1e-7);
  });

  it("divides the variance by n - 1 when asked, and survives a single value", () => {
    const [biased] = whiten(values, { center: true, scale: true });
    const [unbiased] = whiten(values, { center: true, scale: true, unbiased: true });
    expect((biased ?? 0) / (unbiased ?? 1)).to.be.closeTo(Math.sqrt(4 / 3), 1e-7);
    expect(Array.from(whiten([5], { center: true, scale: true, unbiased: true }))).to.deep.equal([0]);
  });
});

describe("advantages of tokens", () => {
  const request = { starts: startsOf([2, 1]), rewards: [1, 2, 5], values: [0.5, 1, 3] };

  it("end with the answer: nothing beyond it is counted, nor a neighbour's", () => {
    const { advantages, returns } = generalisedAdvantages({ ...request, gamma: 1, lambda: 1 });
    expect(Array.from(advantages)).to.deep.equal([2.5, 1, 2]);
    expect(Array.from(returns)).to.deep.equal([3, 2, 5]);
  });

  it("discount with gamma and lambda", () => {
    const { advantages } = generalisedAdvantages({ ...request, gamma: 0.5, lambda: 0.5 });
    expect(Array.from(advantages)).to.deep.equal([1 + 0.5 - 0.5 + 0.25, 1, 2]);
  });

  it("of the game of one step are those of lambda 1 at the first token, at every token", () => {
    const { advantages, returns } = sequenceAdvantages(request);
    expect(Array.from(advantages)).to.deep.equal([2.5, 2.5, 2]);
    expect(Array.from(returns)).to.deep.equal([3, 5]);
  });

  it("of a stale rollout weigh no more than the cap", () => {
    const weights = stalenessWeights([-1, -1, -1], [-1, -4, 0]);
    expect(Array.from(weights)).to.deep.equal([1, 2, Math.exp(-1)]);
  });
});

describe("advantages of groups", () => {
  it("leave out answers without a reward, and are 0 for an answer alone", () => {
    const rewards = [1, none, 3, none, 7, none];
    for (const scale of ["group", "batch", "none"] as const) {
      const found = groupAdvantages({ rewards, samples: 3, scale });
      expect([found[1], found[3], found[4], found[5]]).to.deep.equal([0, 0, 0, 0]);
      expect(found[0]).to.be.below(0);
      expect(found[2]).to.equal(-(found[0] ?? 0));
    }
    expect(Array.from(leaveOneOutAdvantages({ rewards, samples: 3 }))).to.deep.equal([-2, 0, 2, 0, 0, 0]);
    const normalised = leaveOneOutAdvantages({ rewards, samples: 3, normalise: true });
    const divisor = Math.sqrt(8) + 1e-4;
    expect(Array.from(normalised)).to.deep.equal([-2 / divisor, 0, 2 / divisor, 0, 0, 0]);
  });

  it("of single answers are all 0", () => {
    expect(Array.from(groupAdvantages({ rewards: [1, 2], samples: 1, scale: "group" }))).to.deep.equal([
      0, 0,
    ]);
    expect(Array.from(leaveOneOutAdvantages({ rewards: [1, 2], samples: 1 }))).to.deep.equal([0, 0]);
  });

  it("refuse a group that is not whole", () =>
    expectFailure(
      () => groupAdvantages({ rewards: [1, 2, 3], samples: 2, scale: "none" }),
      "ATTUNE_SHAPE",
      "groups of 2",
    ));
});

describe("the coefficient of the KL penalty", () => {
  it("stays, or moves towards its target by a fifth of the share of the horizon", () => {
    const fixed = { kind: "fixed", coefficient: 0.05 } as const;
    expect(controlKl(fixed, { kl: 100, episodes: 10 })).to.equal(fixed);
    const adaptive = { kind: "adaptive", coefficient: 1, target: 6, horizon: 100 } as const;
    expect(controlKl(adaptive, { kl: 60, episodes: 10 }).coefficient).to.be.closeTo(1.02, 1e-15);
    expect(controlKl(adaptive, { kl: -60, episodes: 10 }).coefficient).to.be.closeTo(0.98, 1e-15);
    expect(controlKl(adaptive, { kl: 6, episodes: 10 }).coefficient).to.equal(1);
    return expectFailure(() => controlKl(adaptive, { kl: none, episodes: 1 }), "ATTUNE_NOT_FINITE", "KL");
  });
});
