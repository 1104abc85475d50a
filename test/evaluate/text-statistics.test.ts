// Text statistics against counts by hand, and what one look at a run measures.

import { expect } from "chai";
import {
  type Answer,
  overOptimisationMetrics,
  textStatisticsOf,
  watchedStep,
} from "../../lib/evaluate/index.js";
import { metricDescriptions } from "../../lib/report/index.js";
import { expectFailure } from "../errors/expect-failure.js";

/** Words as tokens. */
function said(text: string, ended = true): Answer {
  const words = text.split(" ").length;
  return { text, length: ended ? words + 1 : words, ended };
}

/** Ids; the last is the stop token where the answer ended. */
function drawn(ids: readonly number[], ended = true): Answer {
  return { text: ids.join(" "), ids: Int32Array.from(ids), length: ids.length, ended };
}

describe("text statistics", () => {
  const answers = [
    [said("a b c a b c"), said("a b c d")],
    [said("a b c a b c", false), said("x y")],
  ];

  it("count different n-grams over all answers", () => {
    const { distinct } = textStatisticsOf({ answers });
    // 18 words of 6 kinds, 14 pairs (ab bc ca cd xy), 10 triples (abc bca cab bcd).
    expect(distinct).to.deep.equal([6 / 18, 5 / 14, 4 / 10]);
  });

  it("count repeated triples within an answer", () => {
    const { repetition } = textStatisticsOf({ answers });
    // abc bca cab abc: one of four, in two of the answers.
    expect(repetition.mean).to.be.closeTo((0.25 + 0 + 0.25 + 0) / 4, 1e-12);
  });

  it("find the most frequent opening, cut answers and lengths", () => {
    const { repeatedOpening, missingEos, length } = textStatisticsOf({ answers });
    expect(repeatedOpening).to.equal(0.75);
    expect(missingEos.mean).to.equal(0.25);
    expect(length.mean).to.equal((7 + 5 + 6 + 3) / 4);
  });

  it("leave the stop token out of n-grams, and only that", () => {
    const stopped = textStatisticsOf({ answers: [[drawn([1, 2, 0]), drawn([1, 2, 3], false)]] });
    expect(stopped.distinct[0]).to.equal(3 / 5);
  });

  it("tell prompts with equal samples, and of single samples whether all are equal", () => {
    const [same, other] = [said("yes"), said("no")];
    expect(
      textStatisticsOf({
        answers: [
          [same, same],
          [same, other],
        ],
      }).equalAnswers,
    ).to.equal(0.5);
    expect(textStatisticsOf({ answers: [[same], [same], [same]] }).equalAnswers).to.equal(1);
    expect(textStatisticsOf({ answers: [[same], [same], [other]] }).equalAnswers).to.equal(0);
  });

  it("correlate length and score by ranks", () => {
    expect(textStatisticsOf({ answers, scores: [7, 5, 6, 3] }).lengthCorrelation).to.be.closeTo(1, 1e-12);
    expect(textStatisticsOf({ answers, scores: [1, 1, 1, 1] }).lengthCorrelation).to.equal(undefined);
    expect(textStatisticsOf({ answers }).lengthCorrelation).to.equal(undefined);
  });

  it("refuse nothing to look at", () =>
    expectFailure(() => textStatisticsOf({ answers: [[], []] }), "ATTUNE_DATA", "at least one answer"));
});

describe("a look at an online run", () => {
  const answers = [
    [said("a b c"), said("a b")],
    [said("c d e f"), said("b")],
  ];
  const start = watchedStep({ step: 0, answers, proxy: [0, 2, 0, 2], gold: [0, 4, 0, 4], kl: [0, 0, 0, 0] });
  const now = watchedStep({
    step: 9,
    answers,
    proxy: [2, 4, 2, 4],
    gold: [1, 5, 1, 5],
    kl: [3, 5, 4, 4],
    entropy: [1, 1, 2, 2],
    wins: [1, 0.5],
  });

  it("gives metrics that are all described, and leaves out what was not measured", () => {
    const described = new Set(metricDescriptions.flatMap(({ keys }) => Object.keys(keys)));
    const metrics = overOptimisationMetrics(now, start);
    expect(Object.keys(metrics).filter((key) => !described.has(key))).to.deep.equal([]);
    expect(Object.keys(metrics)).to.have.lengthOf(14);
    const bare = watchedStep({ step: 0, answers, proxy: [0, 1, 2, 3] });
    expect(overOptimisationMetrics(bare, bare)).to.not.have.any.keys(
      "overopt/gold",
      "overopt/gap",
      "overopt/sqrt_kl",
    );
  });

  it("measures the gap of proxy and gold in standard deviations of the start", () => {
    const metrics = overOptimisationMetrics(now, start);
    // Proxy 2 more of deviation 2/sqrt(3), gold 1 more of twice that.
    expect(metrics["overopt/gap"]).to.be.closeTo(Math.sqrt(3) - Math.sqrt(3) / 4, 1e-12);
    expect(metrics["overopt/sqrt_kl"]).to.equal(2);
    expect(metrics["overopt/win_rate"]).to.equal(0.75);
    expect(overOptimisationMetrics(start, start)["overopt/gap"]).to.equal(0);
  });

  it("means over the scores that there are, and leaves out what has fewer than two", () => {
    const proxy = [1, Number.NaN, 3, Number.NaN];
    const some = watchedStep({ step: 0, answers, proxy, gold: [1, Number.NaN, Number.NaN, Number.NaN] });
    expect(some.proxy?.mean).to.equal(2);
    expect(some).to.not.have.any.keys("gold", "goldSpread");
  });

  it("refuses another number of scores, scores that are no numbers, and a single answer", async () => {
    const look = (proxy: number[]) => () => watchedStep({ step: 0, answers, proxy });
    await expectFailure(look([1]), "ATTUNE_SHAPE", "proxy for each of 4 answers but received 1");
    await expectFailure(look([1, 2, Number.POSITIVE_INFINITY, 4]), "ATTUNE_NOT_FINITE", "answer 2");
    await expectFailure(
      () => watchedStep({ step: 0, answers: [[said("a")]], proxy: [1] }),
      "ATTUNE_DATA",
      "two or",
    );
  });
});
