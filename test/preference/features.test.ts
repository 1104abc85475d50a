import { expect } from "chai";
import { featureOf, featuresOf, fitFeatures } from "../../lib/preference/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { l2 } from "../support/oracle-compare.js";
import { testNumbers, testWords } from "./words.js";

const [inputSize, items] = [40, 30];
const states = testNumbers(1, inputSize * items).map((value) => 3 + value);

describe("features of a linear reward", () => {
  it("have mean 0 and the length L at most, which one of them has", () => {
    const map = fitFeatures({ states, inputSize, length: 2 });
    const features = featuresOf(map, states);
    const sums = Array.from({ length: inputSize }, (_, i) => {
      return Array.from({ length: items }, (_, item) => features[item * inputSize + i] ?? 0).reduce(
        (a, b) => a + b,
      );
    });
    expect(Math.max(...sums.map(Math.abs))).to.be.below(1e-12);
    const lengths = Array.from({ length: items }, (_, item) => l2(featureOf(map, states, item)));
    expect(Math.max(...lengths)).to.be.closeTo(2, 1e-12);
  });

  it("projected to fewer dimensions keep their lengths on average", () => {
    const plain = fitFeatures({ states, inputSize });
    const projected = fitFeatures({ states, inputSize, project: { size: 20, words: testWords(4) } });
    const ratio = Array.from({ length: items }, (_, item) => {
      const [before, after] = [plain, projected].map((map) =>
        l2(featureOf({ ...map, scale: 1 }, states, item)),
      );
      return ((after ?? 0) / (before ?? 1)) ** 2 / items;
    }).reduce((a, b) => a + b);
    expect(ratio).to.be.within(0.8, 1.2);
  });

  it("projected are the same for the same seed, others for another", () => {
    const of = (seed: number) =>
      featureOf(
        fitFeatures({ states, inputSize, project: { size: 3, words: testWords(seed) } }),
        states,
        5,
      ).join();
    expect(of(1)).to.equal(of(1));
    expect(of(1)).to.not.equal(of(2));
  });

  it("cannot have more dimensions than the states", async () => {
    const project = { size: 41, words: testWords(1) };
    await expectFailure(() => fitFeatures({ states, inputSize, project }), "ATTUNE_OPTION", "from 1 to 40");
  });
});
