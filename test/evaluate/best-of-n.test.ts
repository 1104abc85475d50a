// Best-of-N against all choices of N from M written out, and against the KL of the distribution itself.

import { expect } from "chai";
import { bestOfN, bestOfNKl, bestOfNValue, type ScoreAnswers } from "../../lib/evaluate/index.js";
import { expectFailure } from "../errors/expect-failure.js";
import { writerOf } from "./writers.js";

/** Mean over all choices of n places; of equal proxies each is chosen equally often. */
function byEnumeration(proxy: readonly number[], gold: readonly number[], n: number): number {
  let [sum, choices] = [0, 0];
  for (let set = 0; set < 2 ** proxy.length; set++) {
    const places = proxy.map((_, i) => i).filter((i) => (set >> i) & 1);
    if (places.length !== n) continue;
    const most = Math.max(...places.map((i) => proxy[i] ?? 0));
    const best = places.filter((i) => proxy[i] === most);
    sum += best.reduce((total, i) => total + (gold[i] ?? 0), 0) / best.length;
    choices += 1;
  }
  return sum / choices;
}

describe("the value of best-of-N", () => {
  const proxy = [0.3, -1, 2, 0.7, 1.5, -0.2];
  const gold = [5, 1, 2, 8, 3, 13];

  for (const n of [1, 2, 3, 5, 6]) {
    it(`of ${n} in 6 samples is the mean over all choices`, () => {
      expect(bestOfNValue({ proxy, gold, n })).to.be.closeTo(byEnumeration(proxy, gold, n), 1e-12);
    });
  }

  it("shares the weight of samples of equal proxy", () => {
    const tied = [1, 0, 1, 2, 0, 1];
    const value = bestOfNValue({ proxy: tied, gold, n: 2 });
    // A tie goes to one sample by its place in the order, in expectation to each alike.
    expect(value).to.be.closeTo(byEnumeration(tied, gold, 2), 1e-12);
  });

  it("is the proxy's own where no gold is given", () => {
    expect(bestOfNValue({ proxy, n: 6 })).to.equal(2);
  });

  it("has weights that sum to one for thousands of samples", () => {
    const many = Array.from({ length: 5000 }, (_, i) => Math.sin(i));
    expect(bestOfNValue({ proxy: many, gold: many.map(() => 1), n: 700 })).to.be.closeTo(1, 1e-12);
  });

  it("refuses more than the samples there are", () =>
    expectFailure(() => bestOfNValue({ proxy, n: 7 }), "ATTUNE_OPTION", "from 1 to the 6 samples"));

  it("refuses gold scores of another number", () =>
    expectFailure(() => bestOfNValue({ proxy, gold: [1], n: 2 }), "ATTUNE_DATA", "(6) but received 1"));
});

describe("the KL bound of best-of-N", () => {
  it("is 0 for one sample", () => {
    expect(bestOfNKl(1)).to.equal(0);
  });

  it("is the KL of the best of 4 of very many answers, none tied", () => {
    const answers = 100_000;
    let kl = 0;
    for (let i = 1; i <= answers; i++) {
      const p = (i / answers) ** 4 - ((i - 1) / answers) ** 4;
      kl += p * Math.log(p * answers);
    }
    expect(bestOfNKl(4)).to.be.closeTo(kl, 1e-4);
  });
});

describe("best-of-N of a writer", () => {
  const prompts = ["a", "b"];
  const lengths = [
    [3, 1, 4, 1],
    [2, 7, 1, 8],
  ];
  const writer = writerOf((prompt, sample) => "x".repeat(lengths[prompt]?.[sample] ?? 0));
  const byLength: ScoreAnswers = (rows) => rows.map(({ answer }) => answer.text.length);

  it("keeps the highest of the first N", async () => {
    const { prompts: bests } = await bestOfN({ model: writer, prompts, n: 2, samples: 4, score: byLength });
    expect(bests.map(({ bestScore }) => bestScore)).to.deep.equal([3, 7]);
    expect(bests.map(({ best }) => best.text)).to.deep.equal(["xxx", "xxxxxxx"]);
  });

  it("estimates one sample and the best of N from all M", async () => {
    const result = await bestOfN({ model: writer, prompts, n: 2, samples: 4, score: byLength });
    expect(result.single.mean).to.be.closeTo((9 / 4 + 18 / 4) / 2, 1e-12);
    const best = lengths.map((row) => byEnumeration(row, row, 2));
    expect(result.best.mean).to.be.closeTo(((best[0] ?? 0) + (best[1] ?? 0)) / 2, 1e-12);
    expect(result.best.interval.low).to.be.closeTo(Math.min(...best), 1e-12);
    expect(result.best.interval.high).to.be.closeTo(Math.max(...best), 1e-12);
    expect(result.klBound).to.equal(Math.log(2) - 0.5);
  });

  it("values under gold what the score chose", async () => {
    const gold: ScoreAnswers = (rows) => rows.map(({ answer }) => -answer.text.length);
    const result = await bestOfN({ model: writer, prompts, n: 4, score: byLength, gold });
    expect(result.best.mean).to.equal(6);
    expect(result.goldBest?.mean).to.equal(-6);
    expect(result.goldSingle?.mean).to.be.closeTo(-27 / 8, 1e-12);
  });

  it("asks for M samples of each prompt by its seed", async () => {
    await bestOfN({ model: writer, prompts, n: 2, samples: 3, score: byLength, seed: 9 });
    expect(writer.calls.at(-1)).to.include({ samples: 3, seed: 9 });
  });

  it("refuses fewer samples than N before it samples", async () => {
    const calls = writer.calls.length;
    await expectFailure(
      () => bestOfN({ model: writer, prompts, n: 3, samples: 2, score: byLength }),
      "ATTUNE_OPTION",
      "1 to the 2 samples",
    );
    expect(writer.calls).to.have.lengthOf(calls);
  });
});
