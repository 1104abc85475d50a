import { expect } from "chai";
import { loadRows } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { tinyTokenizer } from "../text/tiny-tokenizer.js";

describe("loadRows", () => {
  const tokenizer = tinyTokenizer();
  const pair = { prompt: "a", chosen: "b", rejected: "c" };

  it("gives tokenised rows in file order with the counts", async () => {
    const data = [
      pair,
      { ...pair, rejected: "b" },
      { ...pair, chosen: "bbbbbbbb" },
      { ...pair, prompt: "z" },
    ];
    const { rows, counts } = await loadRows({ data, tokenizer, task: "preference", maxLength: 6 });
    expect(Array.from(rows, (row) => row.index)).to.deep.equal([0, 3]);
    expect(counts).to.deep.include({
      read: 4,
      kept: 2,
      truncated: 0,
      dropped: { identical: 1, too_long: 1 },
    });
  });

  it("lists the reasons with counts when no row is left", async () => {
    const data = [
      { ...pair, rejected: "b" },
      { ...pair, chosen: "bbbbbbbb" },
      { ...pair, chosen: "bbbbbbbbb" },
      {},
    ];
    const error = await failureOf(() =>
      loadRows({ data, tokenizer, task: "preference", maxLength: 6, skipBadRows: 1 }),
    );
    expect(error.code).to.equal("ATTUNE_NO_ROWS");
    expect(error.exitCode).to.equal(2);
    expect(error.message).to.contain("none is left of 4");
    expect(error.message).to.contain("1: chosen and rejected are identical");
    expect(error.message).to.contain("2: longer than --max-length");
    expect(error.message).to.contain("1: could not be read");
    expect(error.message).to.contain("Raise --max-length");
  });

  it("refuses text rows where pairs are asked for", async () => {
    const error = await failureOf(() => loadRows({ data: [{ text: "a" }], tokenizer, task: "preference" }));
    expect(error.code).to.equal("ATTUNE_DATA_COLUMN");
  });

  it("says so when there is no row at all", async () => {
    const error = await failureOf(() => loadRows({ data: [], tokenizer, task: "sft" }));
    expect(error.message).to.contain("none is left of 0 (no row was found)");
  });
});
