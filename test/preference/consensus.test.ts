// What several annotators say together: soft labels, reliabilities, side bias.

import { expect } from "chai";
import { consensusOf, evidenceOf, type PairVote, wilsonInterval } from "../../lib/preference/index.js";
import { uniform } from "./simulated-votes.js";

type Choice = "first" | "second";

/** People right with the given probabilities on units whose first answer is better in the even ones. */
function votesOf(right: readonly number[], units: number, seed = 1): PairVote[] {
  return right.flatMap((p, annotator) =>
    Array.from({ length: units }, (_, unit) => {
      const better: Choice = unit % 2 === 0 ? "first" : "second";
      const worse: Choice = unit % 2 === 0 ? "second" : "first";
      return { unit, annotator, choice: uniform(seed, annotator, unit) < p ? better : worse };
    }),
  );
}

describe("consensus", () => {
  it("finds who can be trusted, and gives a coin-flipper no weight", () => {
    const { reliability } = consensusOf({ votes: votesOf([0.9, 0.9, 0.85, 0.5], 400) });
    expect(reliability.get(0)).to.be.closeTo(0.9, 0.05);
    expect(reliability.get(2)).to.be.closeTo(0.85, 0.05);
    expect(reliability.get(3)).to.be.closeTo(0.5, 0.06);
  });

  it("is right more often than the majority where people differ", () => {
    const votes = votesOf([0.95, 0.55, 0.55], 400);
    const { labels } = consensusOf({ votes });
    const rightOf = (firstIsBetter: (unit: number) => boolean) =>
      Array.from({ length: 400 }, (_, unit) => firstIsBetter(unit) === (unit % 2 === 0)).filter(Boolean)
        .length;
    const majority = rightOf(
      (unit) => votes.filter((vote) => vote.unit === unit && vote.choice === "first").length >= 2,
    );
    expect(rightOf((unit) => (labels.get(unit) ?? 0) > 0.5)).to.be.greaterThan(majority);
  });

  it("inverts nobody: who is always wrong weighs nothing", () => {
    const { reliability } = consensusOf({ votes: votesOf([0.95, 0.95, 0.95, 0.05], 200) });
    expect(reliability.get(3)).to.equal(0.5);
  });

  it("lets gold decide what is right", () => {
    const votes = votesOf([0.9, 0.1, 0.1], 100);
    const gold = new Map(
      Array.from({ length: 100 }, (_, unit) => [unit, unit % 2 === 0 ? "first" : "second"] as const),
    );
    expect(consensusOf({ votes }).reliability.get(0)).to.equal(0.5);
    expect(consensusOf({ votes, gold }).reliability.get(0)).to.be.greaterThan(0.8);
  });

  it("clips labels, and leaves ties at a half", () => {
    const many = Array.from(
      { length: 30 },
      (_, annotator): PairVote => ({ unit: 0, annotator, choice: "first" }),
    );
    const tie: PairVote = { unit: 1, annotator: 0, choice: "tie" };
    const { labels } = consensusOf({ votes: [...many, tie] });
    expect(labels.get(0)).to.equal(0.98);
    expect(labels.get(1)).to.equal(0.5);
  });

  it("counts a vote for the favoured side less, one against it more", () => {
    const left = evidenceOf({ unit: 0, annotator: 0, choice: "first", left: "first" }, 0.8, 1);
    const right = evidenceOf({ unit: 0, annotator: 0, choice: "first", left: "second" }, 0.8, 1);
    const plain = Math.log(0.8 / 0.2);
    expect(left).to.be.within(0, plain);
    expect(right).to.be.greaterThan(plain);
    // Without bias both are c; and the probabilities are those of the model.
    expect(evidenceOf({ unit: 0, annotator: 0, choice: "second", left: "first" }, 0.8, 0)).to.be.closeTo(
      -plain,
      1e-12,
    );
    const sigma = (x: number) => 1 / (1 + Math.exp(-x));
    expect(left).to.be.closeTo(Math.log(sigma(plain + 1) / sigma(1 - plain)), 1e-12);
    // Shown right and chosen: P(right | it is better) is sigma(c - g), P(right | it is worse) sigma(-c - g).
    expect(right).to.be.closeTo(Math.log(sigma(plain - 1) / sigma(-plain - 1)), 1e-12);
  });

  it("flags a coin-flipper by 20 gold items in about 87 of 100, and a careful one hardly ever", () => {
    const flagged = (p: number) => {
      let count = 0;
      for (let person = 0; person < 2000; person++) {
        let right = 0;
        for (let item = 0; item < 20; item++) if (uniform(7, person, item) < p) right += 1;
        if (wilsonInterval({ successes: right, count: 20 }).high < 0.8) count += 1;
      }
      return count / 2000;
    };
    expect(flagged(0.5)).to.be.closeTo(0.87, 0.03);
    expect(flagged(0.85)).to.be.below(0.015);
  });
});
