// Ratings of simulated rankings whose truth is known: order, intervals, ties, places of the best alone, faults.

import { expect } from "chai";
import { type RankingVote, rateRankings } from "../../lib/preference/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { uniform } from "./simulated-votes.js";
import { testWords } from "./words.js";

const truth = [0, 0.7, 1.4, 2.1];

/** Plackett and Luce's own world: with Gumbel noise on each rating the order is drawn from their model. */
function simulated(seed: number, people: number, each: number): RankingVote[] {
  return Array.from({ length: people * each }, (_, number) => {
    const annotator = number % people;
    const noisy = truth.map((rating, item) => {
      const noise = -Math.log(-Math.log(uniform(seed, annotator, 4 * number + item) + 1e-12));
      return rating + noise;
    });
    const ranks = noisy.map((value) => 1 + noisy.filter((other) => other > value).length);
    return { items: [0, 1, 2, 3], ranks, annotator, prompt: number };
  });
}

const rate = (rankings: readonly RankingVote[], items = 4, draws = 100) =>
  rateRankings({ items, rankings, draws, words: testWords(1) });

/** Of the first item: only differences mean anything. */
function gaps({ items }: ReturnType<typeof rate>): readonly number[] {
  return items.map(({ rating }) => rating - (items[0]?.rating ?? 0));
}

const one = (ranks: readonly number[], more: Partial<RankingVote> = {}): RankingVote => ({
  ...{ items: ranks.map((_, item) => item), ranks, annotator: 0, prompt: 0 },
  ...more,
});

describe("ratings of rankings", () => {
  it("recover the true order and its distances, inside intervals that part the ranks", () => {
    const rated = rate(simulated(5, 20, 30));
    expect(rated.items.map(({ rank }) => rank)).to.deep.equal([4, 3, 2, 1]);
    expect(rated.annotators).to.equal(20);
    const mean = truth.reduce((sum, rating) => sum + rating, 0) / truth.length;
    const centre = rated.items.reduce((sum, { rating }) => sum + rating, 0) / truth.length;
    for (const [item, { rating, interval, votes, group }] of rated.items.entries()) {
      expect(rating - centre).to.be.closeTo((truth[item] ?? 0) - mean, 0.25);
      expect(interval.low).to.be.below(rating);
      expect(interval.high).to.be.above(rating);
      expect([votes, group]).to.deep.equal([600, 0]);
    }
  });

  it("are wider of few people than of many who say as much", () => {
    const widthOf = (rankings: readonly RankingVote[]) => {
      const [item] = rate(rankings).items;
      return (item?.interval.high ?? 0) - (item?.interval.low ?? 0);
    };
    // Half of the people see it one way, half the other.
    const camps = Array.from({ length: 80 }, (_, i) =>
      one(i % 2 === 0 ? [1, 2, 3] : [3, 2, 1], { annotator: i % 4, prompt: i }),
    );
    const strangers = camps.map((ranking, annotator) => ({ ...ranking, annotator }));
    expect(widthOf(camps)).to.be.greaterThan(3 * widthOf(strangers));
  });

  it("of two items are those of Bradley and Terry: log-odds of the wins, drawn to 0 by the prior", () => {
    const rankings = Array.from({ length: 40 }, (_, prompt) =>
      one(prompt < 30 ? [1, 2] : [2, 1], { prompt, annotator: prompt % 5 }),
    );
    const { items } = rateRankings({
      items: 2,
      rankings,
      draws: 10,
      words: testWords(1),
      priorSd: Number.POSITIVE_INFINITY,
    });
    expect((items[0]?.rating ?? 0) - (items[1]?.rating ?? 0)).to.be.closeTo(Math.log(3), 1e-6);
    const [held] = rate(rankings, 2).items;
    expect(held?.rating).to.be.within(0.1, Math.log(3) / 2 - 1e-4);
  });

  it("put items that are tied in the same place, between the better and the worse", () => {
    const rankings = Array.from({ length: 30 }, (_, i) =>
      one([1, 2, 2, 3], { prompt: i, annotator: i % 10 }),
    );
    const [best = 0, second = 0, third = 0, last = 0] = rate(rankings).items.map(({ rating }) => rating);
    expect(second).to.be.closeTo(third, 1e-9);
    expect(best).to.be.greaterThan(second + 1);
    expect(last).to.be.below(third - 1);
    const [all] = rate([one([1, 1, 1])], 3).items;
    expect(all?.rating).to.be.closeTo(0, 1e-9);
  });

  it("take nothing from the order of items that have no place", () => {
    const best = (ranks: readonly number[]) => gaps(rate([one(ranks, { placed: 1 })], 4, 10));
    const [, second = 0, third = 0, fourth = 0] = best([1, 2, 2, 2]);
    expect(second).to.be.below(-0.1);
    expect([third, fourth].map((gap) => Math.abs(gap - second) < 1e-9)).to.deep.equal([true, true]);
    expect(best([1, 2, 3, 4]).map((gap) => gap.toFixed(9))).to.deep.equal(
      best([1, 2, 2, 2]).map((gap) => gap.toFixed(9)),
    );
  });

  it("weigh what counts more, and a ranking of weight two as two", () => {
    const [up, down] = [one([1, 2]), one([2, 1])];
    const lead = (rankings: readonly RankingVote[]) => -(gaps(rate(rankings, 2, 10))[1] ?? 0);
    expect(lead([up, down])).to.be.closeTo(0, 1e-9);
    expect(lead([{ ...up, weight: 3 }, down])).to.be.greaterThan(0.5);
    expect(lead([{ ...up, weight: 2 }, down])).to.be.closeTo(lead([up, up, down]), 1e-9);
  });

  it("do not rank groups against each other that no ranking connects", () => {
    const apart = [one([1, 2]), one([1, 2], { items: [2, 3] })].flatMap((ranking) =>
      Array.from({ length: 40 }, (_, prompt) => ({ ...ranking, prompt, annotator: prompt % 10 })),
    );
    const { items } = rate(apart, 5);
    expect(items.map(({ group }) => group)).to.deep.equal([0, 0, 1, 1, 2]);
    expect(items.map(({ rank }) => rank)).to.deep.equal([1, 2, 1, 2, 1]);
    expect(items[4]?.votes).to.equal(0);
  });

  it("refuse what is no ranking of the items, by its number", async () => {
    for (const [bad, text] of [
      [one([1, 2], { items: [0, 7] }), "Ranking 1: expected items from 0 to 3"],
      [one([1, 2], { items: [2, 2] }), "Ranking 1: expected different items"],
      [one([1]), "Ranking 1: expected two items or more"],
      [one([1, 2], { items: [0, 1, 2] }), "Ranking 1: expected 3 ranks"],
    ] as const)
      await expectFailure(() => rate([one([1, 2, 3, 4]), bad], 4, 1), "ATTUNE_DATA", text);
  });
});
