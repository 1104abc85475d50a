// What rows say to a reward model: pairs, best answers, and the loss they amount to.

import { expect } from "chai";
import {
  bestAnswerRows,
  bestAnswers,
  judgedPairs,
  lossFor,
  requireFit,
  scoredRows,
  tieShare,
} from "../../lib/train/reward-rows.js";
import { failureOf } from "../errors/expect-failure.js";
import { judgedRow } from "./judged-rows.js";

const plainPairs = (row: Parameters<typeof judgedPairs>[0]) =>
  judgedPairs(row).map(({ better, worse, label }) => [better, worse, label]);

describe("what a row says to a reward model", () => {
  it("is one pair of a preference row, with its label and margin", () => {
    expect(judgedPairs(judgedRow(2, { label: 0.7, margin: 2 }))).to.deep.equal([
      { better: 0, worse: 1, label: 0.7, margin: 2, weight: 1 },
    ]);
  });

  it("is every pair of a ranking, equal ranks as ties", () => {
    expect(plainPairs(judgedRow(3, { ranks: [2, 1, 2] }))).to.deep.equal([
      [1, 0, 1],
      [0, 2, 0.5],
      [1, 2, 1],
    ]);
  });

  it("compares answers without a place with those that have one, and not with each other", () => {
    expect(plainPairs(judgedRow(4, { ranks: [3, 1, 2, 3], placed: 2 }))).to.deep.equal([
      [1, 0, 1],
      [2, 0, 1],
      [1, 2, 1],
      [1, 3, 1],
      [2, 3, 1],
    ]);
  });

  it("is no pair of a rating", () => {
    expect(judgedPairs(judgedRow(1, { rating: 3 }))).to.deep.equal([]);
  });
});

describe("the best answers of a row", () => {
  for (const [what, row, best] of [
    ["chosen", judgedRow(2), [0]],
    ["rejected where the label favours it", judgedRow(2, { label: 0.2 }), [1]],
    ["none of a tie", judgedRow(2, { label: 0.5 }), []],
    ["all of rank 1", judgedRow(3, { ranks: [1, 2, 1] }), [0, 2]],
    ["the one that is rated", judgedRow(1, { rating: -3 }), [0]],
    [
      "the one with the best balance of several pairs",
      judgedRow(3, {
        pairs: [
          { better: 0, worse: 1, label: 1, margin: 0, weight: 1 },
          { better: 2, worse: 0, label: 1, margin: 0, weight: 1 },
          { better: 2, worse: 1, label: 1, margin: 0, weight: 1 },
        ],
      }),
      [2],
    ],
  ] as const)
    it(`are ${what}`, () => expect(bestAnswers(row)).to.deep.equal(best));

  it("are rows of their own, without those that have none", () => {
    const rows = bestAnswerRows([judgedRow(2, { label: 0.5 }), judgedRow(2, { label: 0 })]);
    expect(rows.length).to.equal(1);
    expect(rows.at(0)?.completions).to.deep.equal([Int32Array.of(11, 11)]);
  });
});

describe("the loss of a reward run", () => {
  const pairs = [judgedRow(2)];
  const ranking = [judgedRow(3, { ranks: [1, 2, 3] })];
  const best = [judgedRow(3, { ranks: [1, 2, 2], placed: 1 })];
  const ratings = [judgedRow(1, { rating: 3 })];

  for (const [rows, loss] of [
    [pairs, "bradley-terry"],
    [ranking, "plackett-luce"],
    [best, "best-of-k"],
    [[...best, ...ranking], "plackett-luce"],
    [ratings, "rating"],
  ] as const)
    it(`is ${loss} by itself where the rows ask for it`, () => expect(lossFor("auto", rows)).to.equal(loss));

  it("is the one asked for where the rows have a place for it", () => {
    expect(lossFor("davidson", pairs)).to.equal("davidson");
    expect(lossFor("all-pairs", ranking)).to.equal("all-pairs");
  });

  it("is refused where they have none, naming those they have", async () => {
    const { code, message } = await failureOf(() => lossFor("bradley-terry", ranking));
    expect(code).to.equal("ATTUNE_OPTION");
    expect(message).to.include("plackett-luce, best-of-k, all-pairs").and.include("bradley-terry");
  });

  it("refuses evaluation rows of another kind", async () => {
    expect((await failureOf(() => requireFit(ratings, "bradley-terry"))).message).to.match(/^rows.jsonl:1: /);
  });

  it("refuses a probability where ties are outcomes, naming file and line", async () => {
    const rows = [judgedRow(2), judgedRow(2, { label: 0.7, place: { file: "b.jsonl", line: 9 } })];
    const { message } = await failureOf(() => requireFit(rows, "rao-kupper"));
    expect(message).to.match(/^b.jsonl:9: expected 1, 0.5 \(a tie\) or 0 in column "label" .* found 0.7/);
  });

  it("refuses a margin where ties are outcomes", async () => {
    const { message } = await failureOf(() => requireFit([judgedRow(2, { margin: 1 })], "davidson"));
    expect(message).to.include('the column "margin"');
  });

  it("refuses several best answers for best-of-k", async () => {
    const rows = [judgedRow(3, { ranks: [1, 1, 2] })];
    expect((await failureOf(() => requireFit(rows, "best-of-k"))).message).to.include("several of rank 1");
  });
});

describe("rows that are scored", () => {
  it("cost every token of their answers, and one target for each", () => {
    expect(scoredRows([judgedRow(3)]).sizeAt?.(0)).to.deep.equal({ trunkRows: 2 + 1 + 2 + 3, targets: 3 });
  });

  it("tell how many of them are ties", () => {
    expect(tieShare([judgedRow(2), judgedRow(2, { label: 0.5 })])).to.equal(0.5);
  });
});
