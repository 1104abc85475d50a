// What rows say about answers: pairs taken apart into single answers, rankings with gaps and without places, scales, and
// what the counts notice.

import { expect } from "chai";
import { loadRows } from "../../lib/data/index.js";
import type { LoadRowsOptions } from "../../lib/data/load-rows.js";
import { failureOf } from "../errors/expect-failure.js";
import { byteIds, tinyTokenizer } from "../text/tiny-tokenizer.js";

type Options = Partial<LoadRowsOptions>;

function load(data: readonly object[], options: Options = {}) {
  return loadRows({ data, tokenizer: tinyTokenizer(), task: "unpaired", ...options });
}

async function answersOf(data: readonly object[], options: Options = {}) {
  const { rows, counts } = await load(data, options);
  const answers = [...rows].map(({ completions: [ids], label, index }) => ({
    answer: String.fromCharCode(...[...(ids ?? [])].slice(0, -1).map((id) => id - 3)),
    label,
    index,
  }));
  return { answers, counts };
}

/** The error of the third row, in which something is wrong. */
async function refused(row: object, sound: object, options: Options) {
  const { code, message, details } = await failureOf(() =>
    load([sound, { ...sound, prompt: "r" }, row], options),
  );
  expect(message).to.match(/^rows:3: expected /);
  return { code, message, details };
}

const pair = { prompt: "q", chosen: "a", rejected: "b" };

describe("pairs as single answers", () => {
  it("are a good and a bad one", async () => {
    const { answers, counts } = await answersOf([pair, { ...pair, prompt: "r" }]);
    expect(answers).to.deep.equal([
      { answer: "a", label: 1, index: 0 },
      { answer: "b", label: 0, index: 0 },
      { answer: "a", label: 1, index: 1 },
      { answer: "b", label: 0, index: 1 },
    ]);
    expect(counts).to.include({ read: 2, kept: 4, split: 2, desirable: 2, undesirable: 2 });
  });

  it("are the other way round where rejected is judged better", async () => {
    const { answers } = await answersOf([{ ...pair, label: 0.2 }]);
    expect(answers.map(({ label }) => label)).to.deep.equal([0, 1]);
  });

  it("are two bad ones where both are called bad", async () => {
    const { answers, counts } = await answersOf([{ ...pair, both_bad: true }]);
    expect(answers.map(({ label }) => label)).to.deep.equal([0, 0]);
    expect(counts).to.include({ bothBad: 1, undesirable: 2, desirable: 0 });
  });

  it("say nothing where they are a tie", async () => {
    const { counts } = await answersOf([pair, { ...pair, label: 0.5 }]);
    expect(counts.dropped).to.deep.equal({ tie: 1 });
  });

  it("are kept one by one where the other is too long", async () => {
    const { answers, counts } = await answersOf([{ ...pair, rejected: "bcdefghi" }], { maxLength: 4 });
    expect(answers.map(({ answer }) => answer)).to.deep.equal(["a"]);
    expect(counts).to.deep.include({ kept: 1, split: 1, dropped: { too_long: 1 } });
  });

  it("keep the hash of their prompt", async () => {
    const { rows } = await load([pair]);
    const single = await load([{ prompt: "q", completion: "a", label: true }]);
    expect([...rows].map(({ promptHash }) => promptHash)).to.deep.equal(
      Array(2).fill(single.rows.at(0)?.promptHash),
    );
  });
});

describe("pairs of which both sides are bad", () => {
  for (const task of ["preference", "reward", "sft"] as const) {
    it(`are no rows for ${task}, and counted`, async () => {
      const { counts } = await load([pair, { ...pair, both_bad: true }], { task });
      expect(counts).to.deep.include({ kept: 1, bothBad: 1, dropped: { both_bad: 1 } });
    });
  }

  it("stay pairs where the column says false", async () => {
    const { counts } = await load([{ ...pair, both_bad: false }], { task: "preference" });
    expect(counts).to.include({ kept: 1, bothBad: 0 });
  });
});

describe("judgements that say nothing sound are refused with row and column:", () => {
  const ranking = { prompt: "q", completions: ["a", "b", "c"], ranks: [1, 2, 3] };
  const thumb = { prompt: "q", completion: "a", label: true };
  const rating = { prompt: "q", completion: "a", rating: 4 };
  const cases: readonly (readonly [string, object, object, Options, string, RegExp])[] = [
    ["a label that is a number", { ...thumb, label: 1 }, thumb, {}, "label", /true or false .* number 1/],
    ["a label that is a text", { ...thumb, label: "yes" }, thumb, {}, "label", /true or false .* "yes"/],
    ["no label", { prompt: "q", completion: "a" }, thumb, {}, "label", /a column "label"/],
    ["both_bad of another type", { ...pair, both_bad: 1 }, pair, {}, "both_bad", /true or false/],
    [
      "a margin that is a text",
      { ...pair, margin: "wide" },
      pair,
      { task: "reward" },
      "margin",
      /a number >= 0 in column "margin" but found the text "wide"/,
    ],
    [
      "a margin below 0",
      { ...pair, margin: -1 },
      pair,
      { task: "reward" },
      "margin",
      /a number >= 0 in column "margin" but found number -1/,
    ],
    [
      "a ranking of one answer",
      { ...ranking, completions: ["a"], ranks: [1] },
      ranking,
      { task: "reward" },
      "completions",
      /2 or more answers in column "completions" but found 1/,
    ],
    [
      "a repeated answer",
      { ...ranking, completions: ["a", "b", "a"] },
      ranking,
      { task: "reward" },
      "completions",
      /different answers in column "completions" but found items 0 and 2 the same/,
    ],
    [
      "fewer ranks than answers",
      { ...ranking, ranks: [1, 2] },
      ranking,
      { task: "ranking" },
      "ranks",
      /a list of 3 .* in column "ranks" but found a list of 2/,
    ],
    [
      "a gap in the ranks",
      { ...ranking, ranks: [1, 3, 4] },
      ranking,
      { task: "reward" },
      "ranks",
      /without a gap.*found rank 3 with 1 better answer\. Is an answer missing\?/,
    ],
    [
      "ranks that do not begin with 1",
      { ...ranking, ranks: [2, 3, 4] },
      ranking,
      { task: "reward" },
      "ranks",
      /found rank 2 with 0 better answers/,
    ],
    [
      "no place at all",
      { ...ranking, ranks: [null, null, null] },
      ranking,
      { task: "reward" },
      "ranks",
      /no place at all/,
    ],
    [
      "a rating above its scale",
      { ...rating, rating: 6 },
      rating,
      { task: "reward", ratingScale: [1, 5] },
      "rating",
      /a number from 1 to 5 in column "rating" but found number 6/,
    ],
    [
      "a rating that is not finite",
      { ...rating, rating: Number.POSITIVE_INFINITY },
      rating,
      { task: "reward" },
      "rating",
      /a number in column "rating" but found number Infinity/,
    ],
  ];
  for (const [what, row, sound, options, column, message] of cases) {
    it(what, async () => {
      const error = await refused(row, sound, options);
      expect(error.code).to.match(/^ATTUNE_DATA/);
      expect(error.message).to.match(message);
      expect(error.details).to.include({ line: 3, column });
    });
  }

  it("a scale that ends before it begins is an option that makes no sense", async () => {
    const error = await failureOf(() => load([rating], { task: "rating", ratingScale: [5, 1] }));
    expect(error.code).to.equal("ATTUNE_OPTION");
  });

  it("a first row without a label of true or false names that column too", async () => {
    const error = await failureOf(() => load([{ ...thumb, label: 0 }]));
    expect(error.details).to.include({ line: 1, column: "label" });
  });
});

describe("rankings", () => {
  const ranked = async (ranks: readonly (number | null)[]) => {
    const completions = ranks.map((_, i) => "abcdef"[i]);
    const { rows, counts } = await load([{ prompt: "q", completions, ranks }, other], { task: "ranking" });
    return { row: rows.at(0), counts };
  };
  const other = { prompt: "r", completions: ["a", "b"], ranks: [1, 2] };

  it("put answers without a place behind all others, together", async () => {
    const { row } = await ranked([null, 2, 1, null]);
    expect(row).to.deep.include({ ranks: [3, 2, 1, 3], placed: 2 });
  });

  it("of which every answer has a place do not count places", async () => {
    const { row } = await ranked([2, 1, 1]);
    expect(row?.ranks).to.deep.equal([2, 1, 1]);
    expect(row?.placed).to.equal(undefined);
  });

  it("may count ties once or as many as they are", async () => {
    expect((await ranked([1, 1, 2])).row?.ranks).to.deep.equal([1, 1, 2]);
    expect((await ranked([1, 1, 3])).row?.ranks).to.deep.equal([1, 1, 3]);
  });

  it("that order nothing are dropped and counted, also where ties are kept", async () => {
    const { counts } = await ranked([1, 1, 1]);
    expect(counts).to.deep.include({ kept: 1, ties: 0, dropped: { tie: 1 } });
  });

  it("of the best alone place that one", async () => {
    const { rows } = await load([{ prompt: "q", completions: ["a", "b", "c"], best: 1 }], { task: "reward" });
    expect(rows.at(0)).to.deep.include({ ranks: [2, 1, 2], placed: 1 });
  });

  it("whose answers become the same ids are dropped", async () => {
    const row = { prompt: "q", completions: ["a", "a<eos>", "b"], ranks: [1, 2, 3] };
    const { counts } = await load([row, other], { task: "ranking" });
    expect(counts.dropped).to.deep.equal({ identical: 1 });
  });
});

describe("what is judged again", () => {
  const counted = async (data: readonly object[], options: Options) => {
    const { duplicates, contradictions, ties } = (await load(data, options)).counts;
    return { duplicates, contradictions, ties };
  };
  const swapped = { prompt: "q", chosen: "b", rejected: "a" };
  const pairs = { task: "preference" } as const;

  it("the same way is a duplicate", async () => {
    expect(await counted([pair, pair, pair], pairs)).to.deep.equal({
      duplicates: 2,
      contradictions: 0,
      ties: 0,
    });
  });

  it("the other way is a contradiction, once per pair", async () => {
    expect(await counted([pair, swapped], pairs)).to.include({ duplicates: 0, contradictions: 1 });
    expect(await counted([pair, swapped, pair], pairs)).to.include({ duplicates: 1, contradictions: 1 });
  });

  it("the same way with its sides exchanged and the label turned round is a duplicate", async () => {
    expect(await counted([pair, { ...swapped, label: 0 }], pairs)).to.include({
      duplicates: 1,
      contradictions: 0,
    });
  });

  it("as a tie contradicts nobody", async () => {
    const tie = { ...swapped, label: 0.5 };
    expect(await counted([pair, tie, tie], pairs)).to.deep.equal({
      duplicates: 1,
      contradictions: 0,
      ties: 2,
    });
  });

  it("of another prompt or other answers is neither", async () => {
    const others = [
      { ...pair, prompt: "r" },
      { ...pair, chosen: "c" },
    ];
    expect(await counted([pair, ...others], pairs)).to.include({ duplicates: 0, contradictions: 0 });
  });

  it("as a thumb the other way is a contradiction", async () => {
    const thumb = { prompt: "q", completion: "a", label: true };
    const data = [thumb, { ...thumb, label: false }, { ...thumb, completion: "b", label: false }, thumb];
    expect(await counted(data, {})).to.include({ duplicates: 1, contradictions: 1 });
  });

  it("as a ranking in the same order is a duplicate", async () => {
    const ranking = { prompt: "q", completions: ["a", "b"], ranks: [1, 2] };
    const data = [ranking, ranking, { ...ranking, ranks: [2, 1] }];
    expect(await counted(data, { task: "ranking" })).to.include({ duplicates: 1, contradictions: 0 });
  });

  it("is found among thousands, which need little memory", async () => {
    const data = Array.from({ length: 3000 }, (_, i) => ({ ...pair, prompt: `q${i % 2000}` }));
    expect(await counted(data, pairs)).to.include({ duplicates: 1000, contradictions: 0 });
  });
});

describe("pairs of one prompt put together", () => {
  const merged = (data: readonly object[], options: Options = {}) =>
    load(data, { task: "reward", mergeGroups: true, ...options });
  const more = [
    pair,
    { prompt: "r", chosen: "x", rejected: "y" },
    { prompt: "q", chosen: "b", rejected: "c", margin: 2, weight: 0.5, source: ["s2"] },
    { prompt: "q", chosen: "c", rejected: "a", label: 0.5 },
  ];
  const ids = (letter: string) => [...byteIds(letter), 0];

  it("have every answer once, and their judgements by number", async () => {
    const { rows } = await merged(more);
    const [first, second] = [...rows];
    expect(rows.length).to.equal(2);
    expect(first?.completions.map((completion) => [...completion])).to.deep.equal(["a", "b", "c"].map(ids));
    expect(first?.pairs).to.deep.equal([
      { better: 0, worse: 1, label: 1, margin: 0, weight: 1 },
      { better: 1, worse: 2, label: 1, margin: 2, weight: 0.5 },
      { better: 2, worse: 0, label: 0.5, margin: 0, weight: 1 },
    ]);
    expect(first).to.deep.include({ source: ["s2"], weight: 1, index: 0 });
    expect(second?.pairs).to.deep.equal([{ better: 0, worse: 1, label: 1, margin: 0, weight: 1 }]);
  });

  it("are counted", async () => {
    expect((await merged(more)).counts).to.include({ kept: 4, merged: 2 });
  });

  it("stand where the first one stood, and know their size", async () => {
    const { rows } = await merged(more);
    expect(rows.at(-1)?.index).to.equal(1);
    expect(rows.sizeAt(0)).to.deep.equal({ trunkRows: 4, targets: 6 });
    expect(rows.sizeAt(1)).to.deep.equal({ trunkRows: 3, targets: 4 });
    expect(rows.at(2)).to.equal(undefined);
  });

  it("of one group stay apart where their prompts differ", async () => {
    const { rows } = await merged([
      { ...pair, group: "g" },
      { ...pair, prompt: "r", group: "g" },
    ]);
    expect(rows.length).to.equal(2);
  });

  it("of one prompt stay apart where they name different groups", async () => {
    const { rows } = await merged([
      { ...pair, group: "g" },
      { ...pair, group: "h" },
    ]);
    expect(rows.length).to.equal(2);
  });

  it("leave rankings alone", async () => {
    const ranking = { prompt: "q", completions: ["a", "b"], ranks: [1, 2] };
    const { rows } = await merged([ranking, ranking]);
    expect([...rows].map(({ pairs }) => pairs)).to.deep.equal([undefined, undefined]);
  });
});

describe("loaded rows", () => {
  it("say of which type they are", async () => {
    expect((await load([pair], { task: "reward" })).type).to.equal("preference");
    expect((await load([{ prompt: "q", completion: "a", rating: 1 }], { task: "reward" })).type).to.equal(
      "rating",
    );
  });
});
