// Curves before they are drawn: buckets of long runs, smoothing, alignment, panels, first, last and best.

import { expect } from "chai";
import { downsample } from "../../lib/report/downsample.js";
import { figuresOf } from "../../lib/report/figures.js";
import { chartTables, hasPoints, lineOfCurve, nearestLine } from "../../lib/report/page/chart-data.js";
import { formatNumber, formatValue } from "../../lib/report/page/format-value.js";
import { smooth } from "../../lib/report/page/smooth.js";
import { panelsOf } from "../../lib/report/panels.js";
import { readRuns } from "../../lib/report/read-run.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { dpoLines, writeRunFolder } from "./run-folders.js";

describe("a long curve", () => {
  const lines = 1000;
  const steps = Array.from({ length: lines }, (_, i) => i + 1);
  const values = steps.map((step) => (step === 777 ? 50 : step % 2));
  const short = downsample({ steps, tokens: [], values, points: 100 });

  it("becomes as many points as asked for", () => {
    expect(short.steps).to.have.length(100);
    expect(short.steps.at(-1)).to.equal(lines);
  });

  it("keeps its peak in the range of its bucket", () => {
    expect(Math.max(...(short.high ?? []))).to.equal(50);
    expect(short.low?.[77]).to.equal(0);
  });

  it("has the mean of a bucket as its value", () => {
    expect(short.values[0]).to.equal(0.5);
    expect(short.values[77]).to.equal((50 + 4) / 10);
  });

  it("leaves values that are not finite out of a mean, and is a gap where all are", () => {
    const holes = values.map((value, i) => (i < 10 || i === 11 ? Number.NaN : value));
    const { values: means } = downsample({ steps, tokens: [], values: holes, points: 100 });
    expect(means[0]).to.satisfy(Number.isNaN);
    expect(means[1]).to.equal(5 / 9);
  });

  it("stays as it is when it is short", () => {
    expect(downsample({ steps: [1, 2], tokens: [], values: [3, 4], points: 2 })).to.not.have.property("low");
  });
});

describe("smoothing", () => {
  it("changes nothing at weight 0", () => {
    expect(smooth([1, 5, 2], 0)).to.deep.equal([1, 5, 2]);
  });

  it("is no pull towards the first value: a constant stays constant", () => {
    for (const value of smooth([3, 3, 3, 3], 0.9)) expect(value).to.be.closeTo(3, 1e-12);
  });

  it("weighs older values ever less", () => {
    // weights 1/4, 1/2 of two values, over their sum
    expect(smooth([0, 3], 0.5)[1]).to.be.closeTo(2, 1e-12);
  });

  it("keeps gaps, and goes on behind them", () => {
    expect(smooth([1, null, Number.NaN, 1], 0.5)).to.deep.equal([1, null, null, 1]);
  });
});

describe("the columns of a chart", () => {
  const view = { axis: "steps", smoothing: 0, logarithmic: false, hidden: new Set<number>() } as const;
  const train = { steps: [1, 2], tokens: [10, 20], values: [4, -2] };
  const panel = {
    series: [
      { run: 0, train, evaluation: { steps: [0], tokens: [0], values: [1] } },
      { run: 1, train },
    ],
  };

  it("are a table per run and split", () => {
    const { tables, columns } = chartTables(panel, view);
    expect(columns.map(({ run, kind }) => `${run} ${kind}`)).to.deep.equal(["0 train", "0 eval", "1 train"]);
    expect(tables[0]).to.deep.equal([
      [1, 2],
      [4, -2],
    ]);
  });

  it("stand at tokens when asked to", () => {
    expect(chartTables(panel, { ...view, axis: "tokens" }).tables[0]?.[0]).to.deep.equal([10, 20]);
  });

  it("lose points whose tokens nobody counted", () => {
    const uncounted = { series: [{ run: 0, train: { ...train, tokens: [null, 20] } }] };
    expect(chartTables(uncounted, { ...view, axis: "tokens" }).tables[0]).to.deep.equal([[20], [-2]]);
  });

  it("leave hidden runs out", () => {
    expect(chartTables(panel, { ...view, hidden: new Set([0]) }).columns).to.deep.equal([
      { run: 1, kind: "train" },
    ]);
  });

  it("have the lines themselves behind a smoothed one", () => {
    const { columns } = chartTables(panel, { ...view, smoothing: 0.5 });
    expect(columns.map(({ kind }) => kind)).to.deep.equal(["raw", "train", "eval", "raw", "train"]);
  });

  it("are never smoothed where values are exact", () => {
    const { columns } = chartTables({ ...panel, exact: true }, { ...view, smoothing: 0.5 });
    expect(columns.map(({ kind }) => kind)).to.not.include("raw");
  });

  it("lose what is not above 0 on a logarithmic scale", () => {
    const { tables } = chartTables(panel, { ...view, logarithmic: true });
    expect(tables[0]?.[1]).to.deep.equal([4, null]);
    expect(hasPoints(tables)).to.equal(true);
    expect(hasPoints([[[1], [null]]])).to.equal(false);
  });

  it("give the nearest line with a value", () => {
    const column = [null, 5, null, null, 6];
    const xs = [0, 1, 2, 3, 4];
    expect(xs.map((_, i) => nearestLine(xs, column, i))).to.deep.equal([1, 1, 1, 4, 4]);
    expect(nearestLine(xs, [null, null], 1)).to.equal(null);
  });

  it("of a run give none before its first line and behind its last", () => {
    const xs = [0, 1, 2, 3, 4];
    const column = [null, 5, null, 6, undefined];
    expect(xs.map((_, i) => lineOfCurve(xs, column, i))).to.deep.equal([null, 1, 1, 3, null]);
    expect(lineOfCurve(xs, [null, null], 1)).to.equal(null);
    expect(lineOfCurve(xs, column, null)).to.equal(null);
  });
});

describe("numbers in reports", () => {
  const known: readonly [number, string][] = [
    [0, "0"],
    [0.123456, "0.1235"],
    [2e-5, "2e-5"],
    [1.25e-6, "1.3e-6"],
    [12345.6, "12,346"],
    [123456789, "1.23e8"],
    [-0.5, "-0.5"],
    [Number.NaN, "not a number"],
    [Number.POSITIVE_INFINITY, "Infinity"],
  ];
  for (const [value, text] of known) {
    it(`show ${value} as ${text}`, () => {
      expect(formatNumber(value)).to.equal(text);
    });
  }

  it("have units where those say more", () => {
    expect([formatValue(1.5e9, "bytes"), formatValue(2e8, "bytes")]).to.deep.equal(["1.50 GB", "200 MB"]);
    expect([formatValue(1234, "ms"), formatValue(12, "ms")]).to.deep.equal(["1.234 s", "12 ms"]);
  });
});

describe("panels and figures of runs", () => {
  const at = suiteFolder();
  const runs = async () => {
    writeRunFolder({ folder: at("a"), lines: dpoLines({ steps: 30, evalEvery: 10 }) });
    writeRunFolder({
      folder: at("b"),
      lines: [...dpoLines({ steps: 5 }), { step: 6, split: "train", odd_key: 7 }],
    });
    return readRuns([at("a"), at("b")]);
  };

  it("have one panel per metric, loss first and what nobody described last", async () => {
    const keys = panelsOf(await runs()).map(({ metric }) => metric.key);
    expect(keys[0]).to.equal("loss");
    expect(keys.at(-1)).to.equal("odd_key");
    expect(keys).to.not.include.members(["step", "tokens", "num_tokens", "eval_ms"]);
    expect(new Set(keys).size).to.equal(keys.length);
  });

  it("place an evaluation at the tokens of the last line before it", async () => {
    const [loss] = panelsOf(await runs());
    expect(loss?.series[0]?.evaluation?.tokens).to.deep.equal([0, 30_000, 60_000, 90_000]);
  });

  it("know first, last and best in the better direction", async () => {
    const figures = figuresOf(await runs());
    const accuracy = figures.find(({ metric }) => metric.key === "rewards/accuracies")?.figures[0];
    expect(accuracy).to.deep.include({ run: 0, split: "eval", first: { value: 0.5, step: 0 } });
    expect(accuracy?.best).to.deep.equal(accuracy?.last);
    const loss = figures.find(({ metric }) => metric.key === "loss")?.figures[0];
    expect(loss?.best?.step).to.equal(30);
    expect(loss?.best?.value).to.be.below(loss?.first.value ?? 0);
  });

  it("have no best where no direction is better", async () => {
    const rate = figuresOf(await runs()).find(({ metric }) => metric.key === "learning_rate")?.figures[0];
    expect(rate?.best).to.equal(undefined);
  });
});
