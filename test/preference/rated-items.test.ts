// Ratings of simulated votes whose truth is known: order, side bias, intervals, groups, fragility.

import { expect } from "chai";
import { fitSideBiases, fragilityOf, rateItems, type Vote } from "../../lib/preference/index.js";
import { simulatedVotes } from "./simulated-votes.js";
import { testWords } from "./words.js";

const truth = [0, 0.8, 1.6, 2.4];

describe("ratings of votes", () => {
  it("recover the true order and the side bias, within their intervals", () => {
    const votes = simulatedVotes({
      seed: 5,
      ratings: truth,
      annotators: 20,
      each: 150,
      gamma: 0.5,
      ownBias: 0.3,
    });
    const { items, side, fewAnnotators, groups } = rateItems({
      items: 4,
      votes,
      draws: 300,
      words: testWords(1),
    });
    const order = [0, 1, 2, 3].sort((a, b) => (items[a]?.rating ?? 0) - (items[b]?.rating ?? 0));
    expect(order).to.deep.equal([0, 1, 2, 3]);
    expect(items.map(({ rank }) => rank)).to.deep.equal([4, 3, 2, 1]);
    expect(side?.interval.low).to.be.below(0.5);
    expect(side?.interval.high).to.be.above(0.5);
    expect(side?.alarm).to.equal(true);
    expect([groups, fewAnnotators]).to.deep.equal([1, false]);
    for (const [item, { rating, interval }] of items.entries()) {
      const centred = rating - (items[0]?.rating ?? 0);
      expect(centred).to.be.closeTo((truth[item] ?? 0) - (truth[0] ?? 0), 0.3);
      expect(interval.low).to.be.below(rating);
      expect(interval.high).to.be.above(rating);
    }
  });

  it("hold the true bias within the interval in 19 of 20 worlds, and alarm only where there is one", () => {
    const covered = { biased: 0, fair: 0, alarms: 0 };
    for (let seed = 0; seed < 20; seed++)
      for (const gamma of [0.5, 0]) {
        const votes = simulatedVotes({ seed, ratings: truth, annotators: 20, each: 60, gamma, ownBias: 0.3 });
        const { side } = rateItems({ items: 4, votes, draws: 200, words: testWords(seed) });
        const { low, high } = side?.interval ?? { low: 1, high: 0 };
        if (low <= gamma && gamma <= high) covered[gamma === 0 ? "fair" : "biased"] += 1;
        if (gamma === 0 && side?.alarm === true) covered.alarms += 1;
      }
    expect(covered.biased).to.be.at.least(16);
    expect(covered.fair).to.be.at.least(16);
    expect(covered.alarms).to.be.at.most(1);
  });

  it("give a model that is always on the left no credit for it", () => {
    const fair = simulatedVotes({ seed: 3, ratings: [0, 0], annotators: 15, each: 200, gamma: 1 });
    // Item 1 on the left in nine of ten.
    const shown = fair.filter(({ first, side = 0 }, i) => (first === 1) === (side === 1) || i % 9 === 0);
    const { items } = rateItems({ items: 2, votes: shown, draws: 100, words: testWords(2) });
    const unaware = rateItems({
      items: 2,
      votes: shown.map((vote) => ({ ...vote, side: 0 as const })),
      draws: 100,
      words: testWords(2),
    });
    const lead = ({ 0: a, 1: b }: typeof items) => (b?.rating ?? 0) - (a?.rating ?? 0);
    expect(lead(unaware.items)).to.be.greaterThan(0.5);
    expect(Math.abs(lead(items))).to.be.lessThan(0.3);
    expect(unaware.side).to.equal(undefined);
  });

  it("are wider by annotators than by votes where annotators differ", () => {
    // Two camps: half of the people always prefer item 1, half item 0.
    const votes: Vote[] = Array.from({ length: 200 }, (_, i) => ({
      first: 0,
      second: 1,
      score: i % 10 < 5 ? 1 : 0,
      annotator: i % 10,
      prompt: Math.floor(i / 10),
    }));
    const strangers = votes.map((vote, i) => ({ ...vote, annotator: i }));
    const widthOf = (all: readonly Vote[]) => {
      const { items } = rateItems({ items: 2, votes: all, draws: 300, words: testWords(4) });
      return (items[0]?.interval.high ?? 0) - (items[0]?.interval.low ?? 0);
    };
    expect(widthOf(votes)).to.be.greaterThan(3 * widthOf(strangers));
  });

  it("do not rank groups against each other that nothing connects", () => {
    const votes: Vote[] = [
      { first: 0, second: 1, score: 1, annotator: 0, prompt: 0 },
      { first: 2, second: 3, score: 1, annotator: 1, prompt: 0 },
    ].flatMap((vote) => Array.from({ length: 40 }, (_, prompt) => ({ ...vote, prompt })));
    const { items, groups } = rateItems({ items: 5, votes, draws: 100, words: testWords(6) });
    expect(groups).to.equal(3);
    expect(items.map(({ group }) => group)).to.deep.equal([0, 0, 1, 1, 2]);
    expect(items[4]?.rank).to.equal(1);
    expect(items[4]?.votes).to.equal(0);
  });

  it("take the same seed to the same intervals", () => {
    const votes = simulatedVotes({ seed: 9, ratings: truth, annotators: 6, each: 30 });
    const of = (seed: number) =>
      rateItems({ items: 4, votes, draws: 100, words: testWords(seed) }).items.map((item) => item.interval);
    expect(of(1)).to.deep.equal(of(1));
    expect(of(1)).to.not.deep.equal(of(2));
  });

  it("find an annotator who leans", () => {
    const lean = simulatedVotes({ seed: 12, ratings: truth, annotators: 1, each: 200, gamma: 2 });
    const rest = simulatedVotes({ seed: 13, ratings: truth, annotators: 10, each: 200 });
    const votes = [...rest, ...lean.map((vote) => ({ ...vote, annotator: 10 }))];
    const { gamma, own } = fitSideBiases({ items: 4, votes });
    expect(Math.abs(gamma)).to.be.lessThan(0.4);
    const others = [...own].filter(([annotator]) => annotator !== 10).map(([, bias]) => bias);
    expect(own.get(10)).to.be.greaterThan(Math.max(...others) + 0.5);
  });
});

describe("the bias towards a side", () => {
  it("is found between models that are far apart, within its interval, where nobody leans none", () => {
    const apart = [1.5, -1.5];
    const lean = simulatedVotes({ seed: 21, ratings: apart, annotators: 12, each: 125, gamma: 1 });
    const found = fitSideBiases({ items: 2, votes: lean });
    expect(found.gamma).to.be.within(0.7, 1.3);
    expect(found.interval.low).to.be.below(1).and.above(0.3);
    expect(found.interval.high).to.be.above(1).and.below(1.8);
    expect(found.alarm).to.equal(true);
    const upright = simulatedVotes({ seed: 22, ratings: apart, annotators: 12, each: 125 });
    const none = fitSideBiases({ items: 2, votes: upright });
    expect([none.interval.low < 0, none.interval.high > 0, none.alarm]).to.deep.equal([true, true, false]);
  });

  it("is not read from few votes, and each annotator's own is held back", () => {
    const left = (count: number): Vote[] =>
      Array.from({ length: count }, (_, prompt) => ({
        ...{ first: 0, second: 1, score: 1, annotator: 0, prompt, side: prompt % 2 === 0 ? 1 : -1 },
        ...(prompt % 2 === 0 ? {} : { score: 0 }),
      }));
    const [one, many] = [1, 100].map((count) => fitSideBiases({ items: 2, votes: left(count) }));
    expect(one?.gamma).to.be.within(0.01, 0.15);
    expect(one?.alarm).to.equal(false);
    expect((many?.gamma ?? 0) + (many?.own.get(0) ?? 0)).to.be.above(2);
    // Half of what one person does is theirs: both have the same prior.
    expect(many?.own.get(0)).to.be.closeTo(many?.gamma ?? 0, 1e-6);
  });
});

describe("fragility", () => {
  const duel = (wins: number, losses: number): Vote[] =>
    Array.from({ length: wins + losses }, (_, i) => ({
      first: 0,
      second: 1,
      score: i < wins ? 1 : 0,
      annotator: i < 6 ? 0 : 1 + (i % 3),
      prompt: i,
    }));

  it("is the number of votes that decide a duel", () => {
    // 12 to 9: without four of the twelve the other leads.
    expect(fragilityOf({ items: 2, votes: duel(12, 9) }, [0, 0])).to.deep.equal([
      { above: 0, below: 1, votes: 4, annotators: 1 },
    ]);
  });

  it("is absent where no removal swaps them", () => {
    const [found] = fragilityOf({ items: 2, votes: duel(10, 0) }, [0, 0]);
    expect(found).to.deep.equal({ above: 0, below: 1 });
  });

  it("compares neighbours of a group although another group lies between them", () => {
    const alone = fragilityOf({ items: 2, votes: duel(12, 9) }, [0, 0]);
    // Two of which one always wins: above and below both others.
    const apart = duel(12, 0).map((vote) => ({ ...vote, first: 2, second: 3 }));
    const found = fragilityOf({ items: 4, votes: [...duel(12, 9), ...apart] }, [0, 0, 1, 1]);
    const four = duel(12, 9).map((vote) => ({ ...vote, first: 2, second: 3 }));
    const between = fragilityOf({ items: 4, votes: [...duel(20, 1), ...four] }, [0, 0, 1, 1]);
    expect(found.filter(({ above }) => above === 0)).to.deep.equal(alone);
    expect(between.map(({ above, below }) => [above, below])).to.deep.equal([
      [2, 3],
      [0, 1],
    ]);
  });

  it("compares no neighbours of different groups", () => {
    expect(fragilityOf({ items: 2, votes: duel(3, 1) }, [0, 1])).to.deep.equal([]);
  });
});
