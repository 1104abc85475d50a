import { expect } from "chai";
import { requireColumn, sliceRows } from "../../lib/evaluate/slices.js";
import { expectFailure } from "../errors/expect-failure.js";

const rows = [
  { columns: { source: "human", meta: { level: 10 } }, lengths: [5, 40] },
  { columns: { source: "ai", meta: { level: 9 } }, lengths: [40, 5] },
  { columns: { source: ["human", "ai"], meta: {} }, lengths: [100, 100] },
  { columns: {}, lengths: [3, 2] },
];

function counts(by: string): Record<string, number> {
  const { slices } = sliceRows({ rows, by, metricsOf: (some) => some.length });
  return Object.fromEntries(slices.map(({ value, metrics }) => [value, metrics]));
}

describe("slices", () => {
  it("group rows by a column; a list counts under each of its items", () => {
    expect(counts("source")).to.deep.equal({ "(none)": 1, ai: 2, human: 2 });
  });

  it("reach into objects with dots, numbers by size", () => {
    const { slices } = sliceRows({ rows, by: "meta.level", metricsOf: () => 0 });
    expect(slices.map(({ value, rows: count }) => [value, count])).to.deep.equal([
      ["(none)", 2],
      ["9", 1],
      ["10", 1],
    ]);
  });

  it("group by the longest answer's length in powers of two", () => {
    expect(counts("length")).to.deep.equal({ "0-15": 1, "32-63": 2, "64-127": 1 });
  });

  it("group pairs by the longer answer", () => {
    expect(counts("longer")).to.deep.equal({ first: 2, neither: 1, second: 1 });
  });

  it("form the metrics of each group from its rows", () => {
    const { slices } = sliceRows({
      rows,
      by: "longer",
      metricsOf: (some) => some.reduce((sum, { lengths: [first = 0] }) => sum + first, 0),
    });
    expect(slices.find(({ value }) => value === "first")?.metrics).to.equal(43);
  });

  it("cannot be by a column that no row has; the nearest name is given", async () => {
    await expectFailure(
      () =>
        requireColumn(
          "sorce",
          rows.map(({ columns }) => columns),
        ),
      "ATTUNE_OPTION",
      'Did you mean "source"?',
    );
  });

  it("may be by a column that only a later row has", () => {
    requireColumn("late", [{}, { late: 1 }]);
  });
});
