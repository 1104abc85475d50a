// Simulated annotators: what each of their faults does, alone, and rows that the trainers read.

import { expect } from "chai";
import {
  type Annotator,
  type AnsweredQuestion,
  annotators,
  impression,
  judgePairs,
  judgeRankings,
  judgeThumbs,
  shopDemonstrations,
  trueReward,
} from "../../lib/world/index.js";

/** Sees no more and no less than there is. */
const exact: Annotator = {
  name: "exact",
  noise: 0,
  tieBand: 0,
  sideBias: 0,
  laziness: 0,
  flattery: 0.5,
  haste: 0,
};

const prompt = "Ada: What does the red lamp cost?\nClerk:";
const good = { text: " Gladly, the red lamp costs nine coins." };
const bad = { text: " No idea, Ada, look for yourself and do not waste my time." };

/** The same two answers again and again, in either order. */
const questions = (count: number, answers = [good, bad]): AnsweredQuestion[] =>
  Array.from({ length: count }, (_, i) => ({
    prompt,
    answers: i % 2 === 0 ? answers : answers.toReversed(),
  }));

const shareOf = (panel: Annotator, text: string, count = 1000): number => {
  const { rows } = judgePairs({ questions: questions(count), panel: [panel], seed: 1 });
  return rows.filter(({ chosen, label }) => chosen === text && label === 1).length / count;
};

describe("an annotator", () => {
  it("without faults always prefers the answer that looks better", () => {
    expect(shareOf(exact, good.text)).to.equal(1);
  });

  it("errs by noise as the logistic distribution says", () => {
    const difference =
      impression(exact, { prompt, completion: good.text }) -
      impression(exact, { prompt, completion: bad.text });
    const noise = 1.5;
    const expected = 1 / (1 + Math.exp(-difference / noise));
    // Four deviations of a share of 1000.
    expect(shareOf({ ...exact, noise }, good.text)).to.be.closeTo(expected, 4 * Math.sqrt(0.25 / 1000));
  });

  it("who is lazy prefers the longer answer", () => {
    expect(shareOf({ ...exact, laziness: 1 }, bad.text)).to.equal(1);
    expect(shareOf({ ...exact, laziness: 0.3 }, bad.text)).to.be.closeTo(0.3, 0.06);
  });

  it("with a side bias decides for the side that comes first, which is either in half of the cases", () => {
    expect(shareOf({ ...exact, sideBias: 100 }, good.text)).to.be.closeTo(0.5, 0.07);
  });

  it("calls answers a tie that hardly differ", () => {
    const { rows } = judgePairs({ questions: questions(100), panel: [{ ...exact, tieBand: 100 }], seed: 1 });
    expect(rows.every(({ label }) => label === 0.5)).to.equal(true);
  });

  it("in haste likes an answer less for each word", () => {
    const look = (haste: number) => impression({ ...exact, haste }, { prompt, completion: good.text });
    expect(look(0.1)).to.be.closeTo(look(0) - 0.1 * 7, 1e-12);
  });

  it("likes flattery beyond what it is worth", () => {
    const flattered = ` Dear dear dear dear dear dear Ada, the red lamp costs nine coins.`;
    const worth = (text: string) => trueReward({ prompt, completion: text }).total;
    expect(worth(flattered)).to.be.below(worth(good.text));
    const look = (text: string) => impression(exact, { prompt, completion: text });
    expect(look(flattered)).to.be.above(look(good.text));
  });
});

describe("a panel of annotators", () => {
  const panel = annotators({ seed: 2 });
  const rows = shopDemonstrations({ seed: 2, count: 400 });
  const asked = rows.map(({ prompt: question }, i): AnsweredQuestion => {
    const answers = [0, 1, 2].map((k) => ({ text: rows[(i + k) % rows.length]?.completion ?? "" }));
    return { prompt: question, answers };
  });
  const judged = { questions: asked, panel, seed: 7 };

  it("has people who differ, the same for the same seed", () => {
    expect(panel).to.have.lengthOf(6);
    expect(annotators({ seed: 2, count: 3 })).to.deep.equal(panel.slice(0, 3));
    expect(new Set(panel.map(({ noise }) => noise)).size).to.equal(6);
  });

  it("agrees with the true reward more often than not, and not always", () => {
    const decided = judgePairs(judged).rows.filter(({ label }) => label === 1);
    const right = decided.filter(
      ({ prompt: question, chosen, rejected }) =>
        trueReward({ prompt: question, completion: chosen }).total >
        trueReward({ prompt: question, completion: rejected }).total,
    );
    expect(right.length / decided.length).to.be.within(0.65, 0.95);
  });

  it("judges the same from the same seed, and otherwise from another", () => {
    for (const judge of [judgePairs, judgeRankings, judgeThumbs]) {
      expect(judge(judged)).to.deep.equal(judge(judged));
      expect(judge({ ...judged, seed: 8 })).to.not.deep.equal(judge(judged));
    }
  });

  it("is not asked about equal answers or empty ones", () => {
    const odd = [
      { prompt, answers: [good, good] },
      { prompt, answers: [good, { text: "" }] },
      { prompt, answers: [good, bad] },
    ];
    const { rows: pairs, unasked } = judgePairs({ questions: odd, panel, seed: 1 });
    expect([pairs.length, unasked]).to.deep.equal([1, 2]);
    expect(judgeRankings({ questions: odd, panel, seed: 1 })).to.have.lengthOf(1);
    expect(judgeThumbs({ questions: odd, panel, seed: 1 })).to.have.lengthOf(5);
  });

  it("ranks by what it sees, ties sharing a rank", () => {
    const answers = [bad, good, { text: " The red lamp is on the shelf." }];
    const ranksBy = (annotator: Annotator) =>
      judgeRankings({ questions: [{ prompt, answers }], panel: [annotator], seed: 1 })[0]?.ranks;
    expect(ranksBy(exact)).to.deep.equal([3, 1, 2]);
    expect(ranksBy({ ...exact, tieBand: 100 })).to.deep.equal([1, 1, 1]);
    expect(ranksBy({ ...exact, laziness: 1 })).to.deep.equal([1, 2, 3]);
  });

  it("gives thumbs to good answers more often than to bad ones", () => {
    const thumbs = judgeThumbs({ questions: questions(400), panel, seed: 1 });
    const up = (text: string) => thumbs.filter((row) => row.completion === text && row.label).length / 400;
    expect(up(good.text)).to.be.above(up(bad.text) + 0.5);
  });
});
