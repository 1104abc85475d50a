// Win rates on answers and scores that are known.

import { expect } from "chai";
import { compareScores, type ScoreAnswers, winRate } from "../../lib/evaluate/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { writerOf } from "./writers.js";

describe("comparing scores", () => {
  const ours = [1, 2, 3, 4, 0];
  const theirs = [0, 2, 1, 5, -1];
  const compared = compareScores({ ours, theirs });

  it("counts wins, ties and losses, a tie half", () => {
    const { prompts, wins, ties, losses, winRate: rate } = compared;
    expect({ prompts, wins, ties, losses, rate }).to.deep.equal({
      prompts: 5,
      wins: 3,
      ties: 1,
      losses: 1,
      rate: 0.7,
    });
  });

  it("gives Wilson's interval of 3.5 in 5", () => {
    // (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), p = 0.7, n = 5
    expect(compared.winRateInterval.low).to.be.closeTo(0.298791, 1e-6);
    expect(compared.winRateInterval.high).to.be.closeTo(0.927416, 1e-6);
  });

  it("gives the means and their difference, whose interval holds it", () => {
    expect(compared.ourMean).to.be.closeTo(2, 1e-12);
    expect(compared.theirMean).to.be.closeTo(1.4, 1e-12);
    expect(compared.difference).to.be.closeTo(0.6, 1e-12);
    expect(compared.differenceInterval.low).to.be.below(0.6);
    expect(compared.differenceInterval.high).to.be.above(0.6);
  });

  it("pairs by prompt: a constant lead has an interval of no width, whatever the spread between prompts", () => {
    const spread = [0, 100, -50, 8, 31];
    const lead = compareScores({ ours: spread.map((score) => score + 2), theirs: spread });
    expect(lead.differenceInterval).to.deep.equal({ low: 2, high: 2 });
    expect(lead.winRate).to.equal(1);
  });

  it("turns around when the sides are swapped", () => {
    const swapped = compareScores({ ours: theirs, theirs: ours });
    expect(swapped.winRate).to.be.closeTo(1 - compared.winRate, 1e-12);
    expect(swapped.differenceInterval.low).to.be.closeTo(-compared.differenceInterval.high, 1e-12);
    expect(swapped.winRateInterval.high).to.be.closeTo(1 - compared.winRateInterval.low, 1e-12);
  });

  it("refuses sides of different lengths", () =>
    expectFailure(() => compareScores({ ours: [1, 2], theirs: [1] }), "ATTUNE_DATA", "2 and 1"));
});

describe("a win rate of writers", () => {
  const prompts = ["a", "b", "c"];
  /** Longer is better. */
  const byLength: ScoreAnswers = (rows) => rows.map(({ answer }) => answer.text.length);
  const long = writerOf((prompt) => `${"lon"[prompt]}xxxx`);
  const short = writerOf(() => "yy");

  it("goes to the one whose answers score higher", async () => {
    const result = await winRate({ ours: long, theirs: short, prompts, score: byLength });
    expect(result.winRate).to.equal(1);
    expect(result.difference).to.equal(3);
    expect(result.ours.answers.map(({ text }) => text)).to.deep.equal(["lxxxx", "oxxxx", "nxxxx"]);
  });

  it("of a writer against itself is all ties", async () => {
    const { ties, winRate: rate } = await winRate({ ours: short, theirs: short, prompts, score: byLength });
    expect({ ties, rate }).to.deep.equal({ ties: 3, rate: 0.5 });
  });

  it("hands the scorer each prompt with its answer", async () => {
    const seen: string[] = [];
    const score: ScoreAnswers = (rows) =>
      rows.map(({ prompt, answer }) => seen.push(`${prompt} ${answer.text}`));
    await winRate({ ours: short, theirs: long, prompts, score });
    expect(seen).to.deep.equal(["a yy", "b yy", "c yy", "a lxxxx", "b oxxxx", "c nxxxx"]);
  });

  it("takes the rows' own answers for a side", async () => {
    const own = ["1", "22", "333"].map((text) => ({ text, length: text.length, ended: true }));
    const result = await winRate({ ours: short, theirs: own, prompts, score: byLength });
    expect(result).to.include({ wins: 1, ties: 1, losses: 1 });
    expect(result.theirs.meanLength).to.equal(2);
  });

  it("counts tokens, the stop token too, and the share of answers that were cut", async () => {
    const result = await winRate({
      ours: long,
      theirs: short,
      prompts,
      score: byLength,
      generation: { maxNewTokens: 4 },
    });
    expect(result.ours).to.include({ meanLength: 4, cut: 1 });
    expect(result.theirs).to.include({ meanLength: 3, cut: 0 });
  });

  it("draws both sides with the same seed and options", async () => {
    const writer = writerOf(() => "z");
    await winRate({ ours: writer, theirs: writer, prompts, score: byLength, seed: 7 });
    expect(writer.calls).to.have.lengthOf(2);
    for (const call of writer.calls) expect(call).to.include({ seed: 7, samples: 1 });
  });

  it("tells its progress from above 0 to 1, never backwards", async () => {
    const told: number[] = [];
    const onProgress = (fraction: number) => told.push(fraction);
    await winRate({ ours: long, theirs: short, prompts, score: byLength, onProgress });
    expect(told).to.have.lengthOf(7);
    expect(told).to.deep.equal([...told].sort((a, b) => a - b));
    expect(told.at(-1)).to.equal(1);
  });

  it("stops when its signal says so", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    let error: unknown;
    await winRate({ ours: long, theirs: short, prompts, score: byLength, signal: controller.signal }).catch(
      (reason) => {
        error = reason;
      },
    );
    expect(error).to.have.property("message", "enough");
  });

  it("refuses answers that are not one per prompt", () => {
    const own = [{ text: "1", length: 1, ended: true }];
    return expectFailure(
      () => winRate({ ours: short, theirs: own, prompts, score: byLength }),
      "ATTUNE_DATA",
      "3 prompts but received 1",
    );
  });

  it("refuses a score that is no number", () =>
    expectFailure(
      () => winRate({ ours: short, theirs: long, prompts, score: () => [1, Number.NaN, 2] }),
      "ATTUNE_NOT_FINITE",
      "answer 1",
    ));

  it("refuses another number of scores than answers", () =>
    expectFailure(
      () => winRate({ ours: short, theirs: long, prompts, score: () => [1] }),
      "ATTUNE_SHAPE",
      "each of 3 answers but received 1",
    ));
});
