// What reward() refuses: options that contradict each other or the rows, and rows that say nothing.

import { existsSync } from "node:fs";
import { expect } from "chai";
import { type RewardOptions, reward } from "../../lib/train/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { tastePairs, tasteRankings, tasteRatings } from "./judgements.js";
import { type Place, temporaryPlace } from "./training-rows.js";

describe("reward refuses", function () {
  this.timeout(60_000);
  let place: Place;
  before(() => {
    place = temporaryPlace();
  });
  after(() => place.remove());

  const refused = async (options: Partial<RewardOptions>) => {
    const output = place.output();
    const failure = await failureOf(
      () => reward({ model: place.model, data: tastePairs, output, threads: 1, ...options }).result,
    );
    expect(existsSync(output), "nothing is written").to.equal(false);
    return failure;
  };

  const ranked = (ranks: readonly unknown[], completions = [" a", " b", " c"]) => ({
    data: [{ prompt: "q?", completions, ranks }],
  });
  const rated = { prompt: "q?", completion: " a" };

  for (const [what, options, code, text] of [
    ["centring without pairs", { data: tasteRankings, centring: 0.1 }, "OPTION", "centring"],
    ["centring of a loss without pairs", { loss: "davidson", centring: 0.1 }, "OPTION", "davidson"],
    ["ties of another loss", { loss: "plackett-luce", ties: "half" }, "OPTION", "breslow, average, marginal"],
    ["ties that pairs do not know", { ties: "average" }, "OPTION", "half, drop"],
    ["ties dropped where they are outcomes", { loss: "rao-kupper", ties: "drop" }, "OPTION", "rao-kupper"],
    ["a ranking loss on pairs", { loss: "plackett-luce" }, "OPTION", "bradley-terry, all-pairs"],
    [
      "a loss of pairs on rankings",
      { data: tasteRankings, loss: "bradley-terry" },
      "OPTION",
      "plackett-luce",
    ],
    ["an axis without ratings", { axis: ["kind"] }, "OPTION", "ratings"],
    ["an axis that no row has", { data: tasteRatings, axis: ["kind"] }, "OPTION", '"kind"'],
    ["heads beside axes", { data: tasteRatings, axis: ["a", "b"], heads: 2 }, "OPTION", "heads"],
    ["an axis named twice", { data: tasteRatings, axis: ["a", "a"] }, "OPTION", "twice"],
    [
      "a scale of one number",
      { data: tasteRatings, ratingScale: [5] },
      "OPTION",
      "to be 2 numbers with a comma",
    ],
    ["a scale that is none", { data: tasteRatings, ratingScale: [5, 1] }, "OPTION", "5,1"],
    ["reference rows for nothing", { referenceData: "x.jsonl", normalise: "none" }, "OPTION", "normalise"],
    ["a probability where ties are outcomes", probability(0.7), "DATA", 'column "label"'],
    ["best-of-k of two best", { ...ranked([1, 1, 2]), loss: "best-of-k" }, "DATA", "several of rank 1"],
    ["more ties than average sums over", { ...manyTied(13), ties: "average" }, "DATA", "found 13 of rank 2"],
    ["more ties than marginal sums over", { ...manyTied(13), ties: "marginal" }, "DATA", "rows:1: expected"],
    ["a repeated answer", ranked([1, 2, 3], [" a", " b", " a"]), "DATA", 'column "completions"'],
    ["a missing rank", ranked([1, 2]), "DATA", "a list of 3"],
    ["a rank left out", ranked([1, 2, 4]), "DATA", "without a gap"],
    ["one answer", ranked([1], [" a"]), "DATA", "2 or more answers"],
    ["all tied", { ...ranked([1, 1, 1]), ties: "drop", loss: "all-pairs" }, "NO_ROWS", "all ranks equal"],
    ["a rating outside its scale", rating(6, [1, 5]), "DATA_COLUMN", "from 1 to 5"],
    ["a rating that is no number", rating("good"), "DATA_COLUMN", 'column "rating"'],
    ["ratings that are all equal", rating(3), "DATA", "all 2 are 3"],
    ["a margin that is no number", margin("big"), "DATA_COLUMN", 'column "margin"'],
    ["a margin below 0", margin(-1), "DATA_COLUMN", 'column "margin"'],
  ] as const satisfies readonly (readonly [string, Partial<RewardOptions>, string, string])[])
    it(`${what}, before anything is written`, async () => {
      const { code: found, message } = await refused(options as Partial<RewardOptions>);
      expect(found).to.equal(`ATTUNE_${code}`);
      expect(message).to.include(text);
    });

  it("evaluation rows of another kind than those it trains on", async () => {
    const { message } = await refused({ evalData: tasteRatings });
    expect(message).to.include("expected rows that bradley-terry can measure but found ratings");
  });

  it("evaluation ratings of an axis it does not train on", async () => {
    const data = tasteRatings.map((row) => ({ ...row, axis: "kind" }));
    const { message } = await refused({ data, evalData: tasteRatings });
    expect(message).to.include('an axis of the training rows ("kind")');
  });

  it("to normalise by rows of which none is best", async () => {
    const { message } = await refused({ data: tastePairs.map((row) => ({ ...row, label: 0.5 })) });
    expect(message).to.include("--reference-data");
  });

  function manyTied(count: number): Partial<RewardOptions> {
    const completions = Array.from({ length: count + 1 }, (_, i) => ` ${"a".repeat(i + 1)}`);
    return ranked([1, ...new Array<number>(count).fill(2)], completions);
  }
  function probability(label: number): Partial<RewardOptions> {
    return { data: tastePairs.map((row) => ({ ...row, label })), loss: "rao-kupper" };
  }
  function rating(value: unknown, scale?: [number, number]): Partial<RewardOptions> {
    const data = [rated, { ...rated, prompt: "r?" }].map((row) => ({ ...row, rating: value }));
    return scale === undefined ? { data } : { data, ratingScale: scale };
  }
  function margin(value: unknown): Partial<RewardOptions> {
    return { data: tastePairs.map((row) => ({ ...row, margin: value })) };
  }
});
