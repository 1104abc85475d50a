// What the dashboard works out by itself: when items will be done, what pasted lines mean, judgements in words.

import { expect } from "chai";

// biome-ignore lint/suspicious/noExplicitAny: pages are plain modules without types
type Module = any;
const load = (name: string): Promise<Module> =>
  import(new URL(`../../lib/web/dashboard/${name}.js`, import.meta.url).href);

const HOUR = 3_600_000;

describe("the dashboard's own reckoning", () => {
  const rate = (counted: readonly number[], wanted: number) => ({
    now: counted.length * HOUR,
    wanted,
    buckets: counted.map((one, i) => ({ from: i * HOUR, counted: one })),
  });

  it("reckons the time left by the pace of the last hours and of the last day", async () => {
    const { timeLeft } = await load("estimate");
    const steady = timeLeft(
      rate(
        Array.from({ length: 48 }, () => 10),
        50,
      ),
    );
    expect(steady.byHour / HOUR).to.be.closeTo(5, 1e-9);
    expect(steady.byDay / HOUR).to.be.closeTo(5, 1e-9);
    const slowing = timeLeft(rate([...Array.from({ length: 46 }, () => 10), 0, 0], 50));
    expect(slowing.byHour).to.equal(undefined);
    expect(slowing.byDay / HOUR).to.be.closeTo((50 * 25) / 230, 1e-9);
  });

  it("does not hold the hours before a project began against it", async () => {
    const { timeLeft } = await load("estimate");
    const young = timeLeft(rate([...Array.from({ length: 46 }, () => 0), 20, 20], 40));
    expect(young.byDay / HOUR).to.be.closeTo(2, 1e-9);
    expect(timeLeft(rate([0, 0], 40))).to.deep.equal({ byHour: undefined, byDay: undefined });
  });

  it("reads items from lines and from a list, and says which are none", async () => {
    const { readItems } = await load("read-items");
    const item = { prompt: "p", answers: [{ content: "a" }, { content: "b" }] };
    const lines = readItems(
      `${JSON.stringify({ prompt: "p", answers: ["a", "b"] })}\n\n${JSON.stringify(item)}`,
    );
    expect(lines.items).to.deep.equal([
      { line: 1, item },
      { line: 3, item },
    ]);
    expect(readItems(JSON.stringify([item])).items).to.deep.equal([{ line: 1, item }]);
    const bad = readItems('{"prompt":"p"}\n[1]\n{"answers":["a"]}\n7\nx');
    expect(bad.problems.map(({ line }: { line: number }) => line)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(readItems("[1").problems[0].text).to.include("no JSON");
  });

  it("sends no more at once than a call takes, and all of it", async () => {
    const { batchesOf } = await load("read-items");
    const items = Array.from({ length: 2500 }, (_, line) => ({ line, item: { prompt: "p" } }));
    const batches = batchesOf(items);
    expect(batches.map(({ length }: { length: number }) => length)).to.deep.equal([1000, 1000, 500]);
    expect(batches.flat()).to.deep.equal(items);
    const long = { line: 1, item: { prompt: "x".repeat(3_000_000) } };
    expect(batchesOf([long, long])).to.have.length(2);
    expect(batchesOf([])).to.deep.equal([]);
  });

  it("reads rows from lines, a list or one object, in pieces that one call takes", async () => {
    const { rowBatches } = await load("read-rows");
    const read = (text: string) => [...rowBatches(text)];
    expect(read('{"a": 1}\n\n{"a": 2}')).to.deep.equal([[{ a: 1 }, { a: 2 }]]);
    expect(read('[{"a": 1}, {"a": 2}]')).to.deep.equal([[{ a: 1 }, { a: 2 }]]);
    expect(read('{\n "a": 1\n}')).to.deep.equal([[{ a: 1 }]]);
    expect(read("")).to.deep.equal([]);
    expect(() => read('{"a": 1}\n{')).to.throw("Line 2 is no JSON.");
    const many = read(Array.from({ length: 2500 }, (_, i) => `{"i": ${i}}`).join("\n"));
    expect(many.map(({ length }) => length)).to.deep.equal([1000, 1000, 500]);
    const large = read(JSON.stringify([{ text: "x".repeat(3_000_000) }, { text: "y".repeat(3_000_000) }]));
    expect(large.map(({ length }) => length)).to.deep.equal([1, 1]);
  });

  it("adds up what several calls of one import say, and reads what questions mean", async () => {
    const { summed, usesOf } = await load("read-rows");
    const report = { format: "hh", rows: 2, badMessages: ["a"], passed: { tie: 1 } };
    const next = { format: "hh", rows: 3, badMessages: ["b"], passed: { tie: 2, empty: 1 } };
    expect(summed(undefined, report)).to.deep.equal(report);
    expect(summed(report, next)).to.deep.equal({
      ...{ format: "hh", rows: 5, badMessages: ["a", "b"] },
      passed: { tie: 3, empty: 1 },
    });
    expect(usesOf("quality = rating:0\n\nwhy=comment").uses).to.deep.equal({
      ...{ quality: "rating:0", why: "comment" },
    });
    expect(usesOf("quality").problem).to.include("Expected NAME=USE");
  });

  it("says judgements by answer, whatever the side on which it was shown", async () => {
    const { sayValues } = await load("sayings");
    expect(sayValues([{ kind: "pair", choice: "left", strength: 2 }], [1, 0])).to.equal("B clearly better");
    expect(sayValues([{ kind: "pair", choice: "both_bad" }], [1, 0])).to.equal("both bad");
    expect(sayValues([{ kind: "ranking", tiers: [[2], [0, 1]] }], [2, 0, 1])).to.equal("B > A = C");
    expect(sayValues([{ kind: "thumb", answer: 0, up: false }], [1, 0])).to.equal("B: down");
  });

  it("writes numbers and times as people read them", async () => {
    const { counted, duration, range, signed } = await load("format");
    expect([counted(1, "item"), counted(1200, "item")]).to.deep.equal(["1 item", "1,200 items"]);
    expect([signed(0.5), signed(-0.25), signed(-0.001), signed(null)]).to.deep.equal([
      "+0.50",
      "−0.25",
      "0.00",
      "–",
    ]);
    expect([duration(800), duration(90_000), duration(5 * HOUR), duration(100 * HOUR)]).to.deep.equal([
      "0.8 s",
      "2 minutes",
      "5 hours",
      "4 days",
    ]);
    expect(range({ low: null, high: null })).to.equal("no interval");
  });
});
