import { expect } from "chai";
import {
  covarianceOf,
  fitLinearBound,
  fitLinearReward,
  type Judgement,
  meanScore,
  optimistic,
  pessimistic,
  width,
  withPair,
  worstParameters,
} from "../../lib/preference/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { maxAbsolute } from "../support/oracle-compare.js";
import { testNumbers, testWords } from "./words.js";

const size = 4;
const features = testNumbers(5, 120 * size);
const judgements = Array.from(
  { length: 60 },
  (_, i): Judgement => ({ items: [2 * i, 2 * i + 1], prompt: i % 20 }),
);
const data = { features, size, judgements };
const reward = fitLinearReward(data);
const v = testNumbers(6, size);

describe("the covariance of judged differences", () => {
  it("of K items is the mean over their pairs", () => {
    const items = [3, 8, 15, 20, 31];
    const pairs = items.flatMap((first, i) =>
      items.slice(i + 1).map((second) => ({ items: [first, second] })),
    );
    const whole = covarianceOf({ features, size, judgements: [{ items, ranks: [1, 2, 3, 4, 5] }] });
    expect(maxAbsolute(whole, covarianceOf({ features, size, judgements: pairs }))).to.be.below(1e-14);
  });

  it("scales each judgement by its weight, and still counts those of weight 0", () => {
    const ranked: Judgement = { items: [3, 8, 15], ranks: [1, 2, 3] };
    const pair: Judgement = { items: [20, 31] };
    const of = (...all: Judgement[]) => covarianceOf({ features, size, judgements: all });
    const weighed = of({ ...ranked, weight: 2 }, { ...pair, weight: 0 });
    expect(maxAbsolute(weighed, of(ranked))).to.be.below(1e-14);
  });
});

describe("the bound of a linear reward", () => {
  const bound = fitLinearBound({ ...data, reward, kappa: 0.7 });

  it("has scores as far below the mean as above it", () => {
    expect(pessimistic(bound, v)).to.be.below(meanScore(bound, v));
    expect(meanScore(bound, v) - pessimistic(bound, v)).to.be.closeTo(
      optimistic(bound, v) - meanScore(bound, v),
      1e-14,
    );
  });

  it("is reached by parameters inside its ellipsoid, and undercut by none of many on its edge", () => {
    const worst = worstParameters(bound, v);
    const worth = (theta: Float64Array) => theta.reduce((sum, value, i) => sum + value * (v[i] ?? 0), 0);
    expect(worth(worst)).to.be.closeTo(pessimistic(bound, v), 1e-12);
    for (let seed = 0; seed < 50; seed++)
      expect(worth(worstParameters(bound, testNumbers(seed + 100, size)))).to.be.at.least(
        worth(worst) - 1e-12,
      );
  });

  it("is narrower along a pair that was added, and scores as before", () => {
    const more = withPair(bound, v);
    expect(width(more, v)).to.be.below(width(bound, v));
    expect(meanScore(more, v)).to.equal(meanScore(bound, v));
  });

  it("takes a pair in as the covariance with that pair would", () => {
    const added = withPair(bound, v);
    const plain = covarianceOf(data, 0.01).map(
      (value, at) => value + ((v[Math.floor(at / size)] ?? 0) * (v[at % size] ?? 0)) / judgements.length,
    );
    const lower = added.factor.lower;
    const product = plain.map((_, at) => {
      let sum = 0;
      for (let i = 0; i < size; i++)
        sum += (lower[Math.floor(at / size) * size + i] ?? 0) * (lower[(at % size) * size + i] ?? 0);
      return sum;
    });
    expect(maxAbsolute(product, plain)).to.be.below(1e-13);
  });

  it("is calibrated by refits on resampled prompts: the same seed, the same kappa", () => {
    const kappa = (seed: number) => fitLinearBound({ ...data, reward, words: testWords(seed) }).kappa;
    expect(kappa(1)).to.equal(kappa(1));
    expect(kappa(1)).to.not.equal(kappa(2));
    expect(kappa(1)).to.be.within(0.2, 5);
  });

  it("is wider where prompts are judged several times than where each judgement is a prompt of its own", () => {
    const repeated = Array.from(
      { length: 60 },
      (_, i): Judgement => ({ items: [2 * (i % 6), 2 * (i % 6) + 1], prompt: i % 6 }),
    );
    const alone = repeated.map(({ items }) => ({ items }));
    const [together, apart] = [repeated, alone].map((one) => {
      const set = { features, size, judgements: one };
      return fitLinearBound({ ...set, reward: fitLinearReward(set), words: testWords(3) }).kappa;
    });
    expect(together).to.be.greaterThan(2 * (apart ?? Number.NaN));
  });

  it("of the theorem is far wider than the calibrated one", () => {
    const [theorem, calibrated] = (["bound", "calibrated"] as const).map(
      (kappa) => fitLinearBound({ ...data, reward, kappa, words: testWords(1) }).kappa,
    );
    expect(theorem).to.be.greaterThan(3 * (calibrated ?? Number.NaN));
  });

  it("by Fisher's information has kappa 1 and knows the fit's own certainty", () => {
    const fisher = fitLinearBound({ ...data, reward, bound: "fisher" });
    expect(fisher.kappa).to.equal(1);
    expect(width(withPair(fisher, v), v)).to.be.below(width(fisher, v));
  });

  it("refuses a lambda of 0", async () => {
    await expectFailure(
      () => fitLinearBound({ ...data, reward, kappa: 1, lambda: 0 }),
      "ATTUNE_OPTION",
      "lambda",
    );
  });

  it("refuses to calibrate without random words", async () => {
    await expectFailure(() => fitLinearBound({ ...data, reward }), "ATTUNE_OPTION", "random words");
  });
});
