import { expect } from "chai";
import { fitLinearReward, type Judgement, meanLoss } from "../../lib/preference/index.js";
import { choicesOf } from "../../lib/preference/judgements.js";
import { gradientAt, hessianAt } from "../../lib/preference/linear-reward.js";
import { expectFailure } from "../errors/expect-failure.js";
import { maxAbsolute } from "../support/oracle-compare.js";
import { testNumbers } from "./words.js";

const size = 5;
const features = testNumbers(3, 40 * size);
const judgements: readonly Judgement[] = [
  { items: [0, 1], label: 0.8, weight: 2 },
  { items: [2, 3] },
  { items: [4, 5, 6, 7], ranks: [2, 1, 4, 3] },
  { items: [8, 9, 10], ranks: [1, 2, 2], weight: 0.5 },
  { items: [11, 12, 13, 14, 15], ranks: [2, 1, 2, 2, 2], placed: 1 },
];

describe("choices of a judgement", () => {
  it("are one of a pair, shared by a soft label", () => {
    expect(choicesOf({ items: [5, 6], label: 0.75 })).to.deep.equal([{ pool: [5, 6], wins: [0.75, 0.25] }]);
  });

  it("are one per place of a ranking but the last", () => {
    expect(choicesOf({ items: [7, 8, 9], ranks: [3, 1, 2] })).to.deep.equal([
      { pool: [7, 8, 9], wins: [0, 1, 0] },
      { pool: [7, 9], wins: [0, 1] },
    ]);
  });

  it("share a pool where items are tied", () => {
    expect(choicesOf({ items: [7, 8, 9], ranks: [1, 1, 2] })).to.deep.equal([
      { pool: [7, 8, 9], wins: [1, 0, 0] },
      { pool: [7, 8, 9], wins: [0, 1, 0] },
    ]);
  });

  it("end with the last item that has a place", () => {
    expect(choicesOf({ items: [7, 8, 9], ranks: [2, 1, 2], placed: 1 })).to.deep.equal([
      { pool: [7, 8, 9], wins: [0, 1, 0] },
    ]);
  });
});

describe("a linear reward", () => {
  const data = { features, size, judgements };
  const theta = testNumbers(8, size);

  it("has the gradient of its loss", () => {
    const gradient = gradientAt(data, theta, 0);
    const step = 1e-5;
    const numeric = theta.map((_, i) => {
      const moved = (by: number) =>
        meanLoss(
          data,
          theta.map((value, j) => (i === j ? value + by : value)),
        );
      return (moved(step) - moved(-step)) / (2 * step);
    });
    expect(maxAbsolute(gradient, numeric)).to.be.below(1e-9);
  });

  it("has the Hessian of its loss", () => {
    const hessian = hessianAt(data, theta);
    const step = 1e-5;
    for (let i = 0; i < size; i++) {
      const at = (by: number) =>
        gradientAt(
          data,
          theta.map((value, j) => (i === j ? value + by : value)),
          0,
        );
      const [above, below] = [at(step), at(-step)];
      const numeric = above.map((value, j) => (value - (below[j] ?? 0)) / (2 * step));
      expect(maxAbsolute(hessian.subarray(i * size, (i + 1) * size), numeric)).to.be.below(1e-9);
    }
  });

  it("is fitted to the optimum of loss and ridge", () => {
    const fit = fitLinearReward({ ...data, ridge: 0.05 });
    expect(maxAbsolute(gradientAt(data, fit.theta, 0.05), new Float64Array(size))).to.be.below(1e-13);
  });

  it("is the same from pairs and from rankings of two", () => {
    const pairs = [0, 2, 4, 6, 8].map((first): Judgement => ({ items: [first, first + 1] }));
    const rankings = pairs.map((pair): Judgement => ({ ...pair, ranks: [1, 2] }));
    const [ofPairs, ofRankings] = [pairs, rankings].map((one) =>
      fitLinearReward({ features, size, judgements: one }),
    );
    expect(maxAbsolute(ofPairs?.theta ?? [], ofRankings?.theta ?? [])).to.be.below(1e-13);
  });

  it("predicts the label of a pair that is all there is", () => {
    const fit = fitLinearReward({
      features: Float64Array.of(2, 1),
      size: 1,
      judgements: [{ items: [0, 1], label: 0.8 }],
      ridge: 0,
    });
    expect(fit.theta[0]).to.be.closeTo(Math.log(0.8 / 0.2), 1e-10);
  });

  it("ignores a judgement of weight 0 but for the count", () => {
    const silent = [...judgements, { items: [20, 21], weight: 0 }];
    expect(meanLoss({ features, size, judgements: silent }, theta)).to.be.closeTo(
      (meanLoss(data, theta) * judgements.length) / silent.length,
      1e-14,
    );
  });

  it("that judgements separate has no fit without a ridge, and says so", async () => {
    const separable = { features: Float64Array.of(2, 1), size: 1, judgements: [{ items: [0, 1] }] };
    await expectFailure(() => fitLinearReward({ ...separable, ridge: 0 }), "ATTUNE_NOT_FINITE", "ridge");
  });

  it("refuses judgements of items that have no features, with their number", async () => {
    const bad = [{ items: [0, 1] }, { items: [0, 77] }];
    await expectFailure(
      () => fitLinearReward({ features, size, judgements: bad }),
      "ATTUNE_DATA",
      "Judgement 1",
    );
  });

  it("refuses features that are not finite, with their place", async () => {
    const broken = features.slice();
    broken[size + 2] = Number.NaN;
    await expectFailure(
      () => fitLinearReward({ features: broken, size, judgements }),
      "ATTUNE_NOT_FINITE",
      "item 1, dimension 2",
    );
  });
});
