// Intervals against worked examples: Wilson's by the formula's published values, the bootstrap where its distribution is
// known.

import { expect } from "chai";
import {
  bootstrapDraws,
  bootstrapMeans,
  meanWithError,
  normalQuantile,
  standardDistance,
} from "../../lib/evaluate/intervals.js";
import { wilsonInterval } from "../../lib/preference/index.js";
import { expectFailure } from "../errors/expect-failure.js";

describe("Wilson's interval", () => {
  const cases = [
    [0, 10, 0, 0.2775327998628892],
    [10, 10, 0.7224672001371107, 1],
    [7, 10, 0.39677814746114537, 0.8922087325936989],
    [55, 100, 0.45244602997442135, 0.6438546202048803],
    [1, 3, 0.06149194472039615, 0.7923403991979523],
    [640, 1000, 0.609766237395941, 0.6691622702281036],
  ] as const;
  for (const [successes, count, low, high] of cases) {
    it(`of ${successes} in ${count} is the known one`, () => {
      const interval = wilsonInterval({ successes, count });
      expect(interval.low).to.be.closeTo(low, 1e-12);
      expect(interval.high).to.be.closeTo(high, 1e-12);
    });
  }

  it("takes half successes, between those of the whole numbers around", () => {
    const [below, half, above] = [3, 3.5, 4].map((successes) => wilsonInterval({ successes, count: 9 }));
    expect(half?.low).to.be.within(below?.low ?? 1, above?.low ?? 0);
    expect(half?.high).to.be.within(below?.high ?? 1, above?.high ?? 0);
  });

  it("refuses more successes than cases", () =>
    expectFailure(() => wilsonInterval({ successes: 4, count: 3 }), "ATTUNE_DATA", "4 of 3"));
});

describe("the bootstrap", () => {
  const one = (values: readonly number[], seed = 0) => bootstrapMeans({ series: [values], seed })[0];

  it("of one item in four gives the quantiles of the binomial distribution", () => {
    // Shares drawn: 0 with 0.316, 1/4 0.422, 1/2 0.211, 3/4 0.047, 1 0.004.
    expect(one([0, 0, 1, 0])).to.deep.equal({ low: 0, high: 0.75 });
  });

  it("of many items comes near mean -+ 1.96 standard errors", () => {
    const values = Array.from({ length: 400 }, (_, i) => Math.sin(i * i));
    const { mean, standardError } = meanWithError(values);
    const interval = one(values);
    expect(interval?.low).to.be.closeTo(mean - 1.96 * standardError, 0.05 * standardError);
    expect(interval?.high).to.be.closeTo(mean + 1.96 * standardError, 0.05 * standardError);
  });

  it("draws the same items of all series", () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const [first, second] = bootstrapMeans({ series: [values, values.map((x) => 2 * x + 1)], seed: 5 });
    expect(second?.low).to.be.closeTo(2 * (first?.low ?? 0) + 1, 1e-12);
    expect(second?.high).to.be.closeTo(2 * (first?.high ?? 0) + 1, 1e-12);
  });

  it("is the same for the same seed, and another for another", () => {
    const values = Array.from({ length: 30 }, (_, i) => Math.cos(7 * i));
    expect(one(values, 3)).to.deep.equal(one(values, 3));
    expect(one(values, 3)).to.not.deep.equal(one(values, 4));
  });

  it("of equal values has no width", () => {
    expect(one([0.5, 0.5, 0.5])).to.deep.equal({ low: 0.5, high: 0.5 });
  });

  it("is between quantiles of its draws, which stay paired", () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const [first, second] = bootstrapDraws({
      series: [values, values.map((x) => 2 * x)],
      seed: 5,
      draws: 500,
    });
    expect([...(second ?? [])]).to.deep.equal([...(first ?? [])].map((x) => 2 * x));
    const [interval] = bootstrapMeans({ series: [values], seed: 5, draws: 500 });
    const inside = (first ?? new Float64Array()).filter(
      (mean) => mean >= (interval?.low ?? 0) && mean <= (interval?.high ?? 0),
    );
    expect(inside.length / 500).to.be.within(0.94, 0.97);
  });

  it("refuses series of different lengths", () =>
    expectFailure(() => bootstrapMeans({ series: [[1, 2], [1]], seed: 0 }), "ATTUNE_DATA", "lengths 2, 1"));

  it("refuses too few draws", () =>
    expectFailure(() => bootstrapMeans({ series: [[1]], seed: 0, draws: 9 }), "ATTUNE_OPTION", "9"));
});

describe("the error of a mean", () => {
  it("is sd / sqrt(n), n - 1 in the deviation", () => {
    const { mean, standardError } = meanWithError([1, 2, 3, 4]);
    expect(mean).to.equal(2.5);
    expect(standardError).to.be.closeTo(Math.sqrt(5 / 3 / 4), 1e-15);
  });
});

describe("quantiles of the normal distribution", () => {
  const known = [
    [0.5, 0],
    [0.95, 1.6448536269514722],
    [0.975, 1.959963984540054],
    [0.9999, 3.719016485455709],
    [1e-6, -4.753424308822899],
  ] as const;
  for (const [share, quantile] of known) {
    it(`at ${share} are the known ones`, () => {
      expect(normalQuantile(share)).to.be.closeTo(quantile, 1e-9);
    });
  }
});

describe("the distance of two means", () => {
  it("is their difference in standard errors of it", () => {
    const [a, b] = [
      { mean: 3, standardError: 3 },
      { mean: 13, standardError: 4 },
    ];
    expect(standardDistance(b, a)).to.equal(2);
    expect(standardDistance(a, b)).to.equal(-2);
  });

  it("is without bound where there is no error, and 0 where there is no difference", () => {
    const [a, b] = [
      { mean: 1, standardError: 0 },
      { mean: 2, standardError: 0 },
    ];
    expect(standardDistance(b, a)).to.equal(Number.POSITIVE_INFINITY);
    expect(standardDistance(a, a)).to.equal(0);
  });
});
