import { expect } from "chai";
import { calibrationOf, pairCalibrationOf } from "../../lib/evaluate/calibration.js";
import { expectFailure } from "../errors/expect-failure.js";

describe("calibration of predictions", () => {
  // By hand: bin 0 holds 0.1 and 0.3 (mean 0.2, half came true), bin 1 holds 0.6, 0.8 and 1 (mean 0.8, two of three).
  const probabilities = [0.1, 0.3, 0.6, 0.8, 1];
  const outcomes = [0, 1, 1, 0, 1];

  it("has a reliability curve of means by bin", () => {
    const [low, high] = calibrationOf({ probabilities, outcomes, bins: 2 }).bins;
    expect(low).to.deep.equal({ from: 0, to: 0.5, count: 2, predicted: 0.2, observed: 0.5 });
    expect(high).to.include({ from: 0.5, to: 1, count: 3 });
    expect(high?.predicted).to.be.closeTo(0.8, 1e-15);
    expect(high?.observed).to.be.closeTo(2 / 3, 1e-15);
  });

  it("has the error of each bin weighted by its share", () => {
    const { ece } = calibrationOf({ probabilities, outcomes, bins: 2 });
    expect(ece).to.be.closeTo((2 / 5) * 0.3 + (3 / 5) * (0.8 - 2 / 3), 1e-15);
  });

  it("has the mean squared error as Brier score", () => {
    const { brier } = calibrationOf({ probabilities, outcomes });
    expect(brier).to.be.closeTo((0.01 + 0.49 + 0.16 + 0.64 + 0) / 5, 1e-15);
  });

  it("puts 1 into the last bin and leaves empty bins without means", () => {
    const { bins } = calibrationOf({ probabilities: [1], outcomes: [1], bins: 4 });
    expect(bins[3]?.count).to.equal(1);
    expect(bins[0]).to.deep.equal({ from: 0, to: 0.25, count: 0 });
  });

  it("counts a prediction of weight 3 like three of them", () => {
    const once = calibrationOf({ probabilities: [0.2, 0.7], outcomes: [0, 0], weights: [1, 3] });
    const thrice = calibrationOf({ probabilities: [0.2, 0.7, 0.7, 0.7], outcomes: [0, 0, 0, 0] });
    expect(once.ece).to.be.closeTo(thrice.ece, 1e-15);
    expect(once.brier).to.be.closeTo(thrice.brier, 1e-15);
  });

  it("of honest predictions has an error near 0", () => {
    const many = Array.from({ length: 10_000 }, (_, i) => (i + 0.5) / 10_000);
    // Outcome i of a hundred neighbours comes true as often as they say.
    const came = many.map((p, i) => (((i * 37) % 100) / 100 < p ? 1 : 0));
    expect(calibrationOf({ probabilities: many, outcomes: came }).ece).to.be.below(0.01);
  });

  it("refuses a probability above 1, with its place", async () => {
    await expectFailure(
      () => calibrationOf({ probabilities: [0.5, 1.2], outcomes: [1, 1] }),
      "ATTUNE_NOT_FINITE",
      "probabilities[1]",
    );
  });

  it("refuses lists of different lengths", async () => {
    await expectFailure(
      () => calibrationOf({ probabilities: [0.5], outcomes: [1, 1] }),
      "ATTUNE_SHAPE",
      "2 outcomes",
    );
  });

  it("refuses no bins", async () => {
    await expectFailure(
      () => calibrationOf({ probabilities: [0.5], outcomes: [1], bins: 0 }),
      "ATTUNE_OPTION",
      "bins",
    );
  });
});

describe("calibration of pairs", () => {
  it("is the same whichever side is called chosen", () => {
    const [margins, labels] = [
      [2, -1, 0.3],
      [1, 1, 0.5],
    ];
    const swapped = pairCalibrationOf({
      margins: margins.map((margin) => -margin),
      labels: labels.map((label) => 1 - label),
    });
    expect(swapped).to.deep.equal(pairCalibrationOf({ margins, labels }));
  });

  it("mirrors the curve about one half and counts each pair once", () => {
    const { bins, count } = pairCalibrationOf({ margins: [2, -1, 3], bins: 4 });
    expect(count).to.equal(3);
    expect(bins.map((bin) => bin.count)).to.deep.equal([1, 0.5, 0.5, 1]);
    expect((bins[0]?.observed ?? 0) + (bins[3]?.observed ?? 0)).to.equal(1);
  });

  it("sees no error in margins that say nothing of pairs that are ties", () => {
    expect(pairCalibrationOf({ margins: [0, 0], labels: [0.5, 0.5] }).ece).to.equal(0);
  });

  it("sees overconfidence", () => {
    // 3 of 4 right at P = sigmoid(4): 0.982 - 0.75.
    expect(pairCalibrationOf({ margins: [4, 4, 4, -4] }).ece).to.be.closeTo(
      1 / (1 + Math.exp(-4)) - 0.75,
      1e-12,
    );
  });

  it("survives margins that overflow an exponential", () => {
    expect(pairCalibrationOf({ margins: [1000, -1000] }).brier).to.equal(0.5);
  });
});
