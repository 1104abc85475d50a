// Which answer serves as the mismatched one of each row, and how far weights may be from the labels.

import { expect } from "chai";
import { packRows, type TokenisedRow } from "../../lib/data/index.js";
import { weightAdvice } from "../../lib/train/kto-rows.js";
import { mismatchedAnswers } from "../../lib/train/mismatched-answers.js";
import { failureOf } from "../errors/expect-failure.js";

function row(
  prompt: readonly number[],
  completion: readonly number[],
  own?: readonly number[],
): TokenisedRow {
  return {
    prompt: Int32Array.from(prompt),
    completions: [Int32Array.from(completion)],
    weight: 1,
    label: 1,
    margin: 0,
    index: 0,
    place: { file: "thumbs.jsonl", line: 7 },
    truncated: false,
    promptHash: "",
    ...(own === undefined ? {} : { klCompletion: Int32Array.from(own) }),
  };
}

function matched(rows: readonly TokenisedRow[], maxLength = 100) {
  const positions = rows.map((_, i) => i);
  return mismatchedAnswers({ data: rows, rows: positions, maxLength }).map(({ prompt, completion }) => ({
    prompt: [...prompt],
    completion: [...completion],
  }));
}

const rows = [row([1], [10, 11]), row([2], [20]), row([3], [30, 31, 32]), row([4], [40]), row([5], [50, 51])];

describe("mismatched answers", () => {
  it("give every row another row's answer, each answer once", () => {
    const found = matched(rows);
    expect(found.map(({ prompt }) => prompt[0]).sort()).to.deep.equal([1, 2, 3, 4, 5]);
    expect(found.map(({ completion }) => completion[0]).sort()).to.deep.equal([10, 20, 30, 40, 50]);
    for (const { prompt, completion } of found) expect(completion[0]).not.to.equal(10 * (prompt[0] ?? 0));
  });

  it("are the same in whatever order the rows come", () => {
    for (const order of [rows.toReversed(), [...rows.slice(2), ...rows.slice(0, 2)]])
      expect(matched(order)).to.deep.equal(matched(rows));
  });

  it("depend on which rows are there", () => {
    const pairOf = (found: ReturnType<typeof matched>) =>
      new Map(found.map((one) => [one.prompt[0], one.completion[0]]));
    const [all, fewer] = [pairOf(matched(rows)), pairOf(matched(rows.slice(0, 4)))];
    expect([1, 2, 3, 4].some((prompt) => all.get(prompt) !== fewer.get(prompt))).to.equal(true);
  });

  it("skip answers to the same prompt", () => {
    const same = [row([1], [10]), row([1], [11]), row([1], [12]), row([2], [20])];
    for (const { prompt, completion } of matched(same))
      expect(completion[0] === 20).to.equal(prompt[0] === 1);
    expect(matched(same)).to.have.length(4);
  });

  it("are none where all rows have one prompt", () => {
    expect(matched([row([1], [10]), row([1], [11])])).to.deep.equal([]);
  });

  it("are those that rows name", () => {
    const [named] = matched([row([1], [10], [99])]);
    expect(named).to.deep.equal({ prompt: [1], completion: [99] });
  });

  it("are cut to the length that a row may have", () => {
    const long = [row([1, 2, 3], [10]), row([4], [20, 21, 22, 23])];
    const found = matched(long, 5);
    expect(found.find(({ prompt }) => prompt.length === 3)?.completion).to.deep.equal([20, 21]);
    for (const { prompt, completion } of found) {
      const batch = packRows({
        data: [{ prompt: Int32Array.from(prompt), completions: [Int32Array.from(completion)] }],
        rows: [0],
      });
      expect(Math.max(...batch.positions)).to.be.below(5);
    }
  });

  it("cannot be found for a row alone, which is named", async () => {
    const { code, message } = await failureOf(() => matched([row([1], [10])]));
    expect(code).to.equal("ATTUNE_DATA");
    expect(message).to.include("thumbs.jsonl:7 is alone").and.to.include("kl_completion");
  });
});

describe("weights of good and bad answers", () => {
  const advice = (good: number, bad: number, desirableWeight = 1, undesirableWeight = 1) =>
    weightAdvice({ good, bad, desirableWeight, undesirableWeight });

  it("are fine where their ratio is from 1 to 4/3", () => {
    for (const [good, bad] of [
      [5, 5],
      [4, 3],
    ] as const)
      expect(advice(good, bad)).to.equal(undefined);
    expect(advice(100, 300, 3)).to.equal(undefined);
  });

  it("are raised for the side that is short, to a range in which they are fine", () => {
    for (const [good, bad, heavy] of [
      [100, 300, 1],
      [900, 300, 1],
      [10, 11, 0.2],
      [50, 10, 3],
    ] as const) {
      const text = advice(good, bad, heavy) ?? "";
      const [, flag, from, to] = /(--\S+) (\S+) to (\S+)\.$/.exec(text) ?? [];
      for (const value of [Number(from) + 0.006, Number(to) - 0.006]) {
        const fixed =
          flag === "--desirable-weight" ? advice(good, bad, value) : advice(good, bad, heavy, value);
        expect(fixed, text).to.equal(undefined);
      }
    }
  });

  it("are left alone where one side is missing or silent", () => {
    expect(advice(5, 0)).to.equal(undefined);
    expect(advice(5, 5, 0)).to.equal(undefined);
  });
});
