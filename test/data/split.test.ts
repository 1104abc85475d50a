import { expect } from "chai";
import { splitRows, type TokenisedRow } from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";

describe("splitRows", () => {
  const row = (promptHash: string, index: number): TokenisedRow => ({
    prompt: Int32Array.of(1),
    completions: [Int32Array.of(2)],
    weight: 1,
    label: 1,
    margin: 0,
    index,
    place: { file: "rows", line: index + 1 },
    truncated: false,
    promptHash,
  });
  /** 300 rows of 100 prompts, three each. */
  const rows = Array.from({ length: 300 }, (_, i) => row(`prompt ${i % 100}`, i));
  const split = (options: { evalShare?: number; seed?: number; rows?: TokenisedRow[] } = {}) => {
    const sides = splitRows({ rows, evalShare: 0.1, seed: 7, ...options });
    const of = (side: typeof sides.train) => Array.from({ length: side.length }, (_, i) => side.at(i));
    return { train: of(sides.train), evaluation: of(sides.evaluation) };
  };
  const hashes = (side: readonly (TokenisedRow | undefined)[]) => new Set(side.map((one) => one?.promptHash));

  it("keeps all rows of a prompt on one side", () => {
    const { train, evaluation } = split();
    const both = [...hashes(train)].filter((hash) => hashes(evaluation).has(hash));
    expect(both).to.deep.equal([]);
  });

  it("loses and doubles no row", () => {
    const { train, evaluation } = split();
    const indices = [...train, ...evaluation].map((one) => one?.index ?? -1).sort((a, b) => a - b);
    expect(indices).to.deep.equal(rows.map(({ index }) => index));
  });

  it("gives the evaluation side the share that was asked for", () => {
    expect(split().evaluation).to.have.length(30);
  });

  it("keeps the rows' order on both sides", () => {
    for (const side of Object.values(split())) {
      const indices = side.map((one) => one?.index ?? -1);
      expect(indices).to.deep.equal(indices.toSorted((a, b) => a - b));
    }
  });

  it("gives the same sides again, whatever the order of the rows", () => {
    const again = hashes(split({ rows: rows.toReversed() }).evaluation);
    expect([...again].toSorted()).to.deep.equal([...hashes(split().evaluation)].toSorted());
  });

  it("gives other sides to another seed", () => {
    const other = hashes(split({ seed: 8 }).evaluation);
    expect([...other].toSorted()).to.not.deep.equal([...hashes(split().evaluation)].toSorted());
  });

  it("leaves most prompts where they are when rows are added", () => {
    const more = [...rows, ...Array.from({ length: 30 }, (_, i) => row(`new ${i}`, 300 + i))];
    const after = hashes(split({ rows: more }).evaluation);
    const kept = [...hashes(split().evaluation)].filter((hash) => after.has(hash));
    expect(kept).to.have.length.of.at.least(8);
  });

  it("leaves the training side one prompt at least", () => {
    const few = [row("a", 0), row("b", 1)];
    expect(split({ rows: few, evalShare: 0.99 }).train).to.have.length(1);
  });

  it("gives sizes and groups of the rows it gives", () => {
    const { evaluation } = splitRows({ rows, evalShare: 0.1, seed: 7 });
    expect(evaluation.sizeAt?.(0)).to.deep.equal({ trunkRows: 1, targets: 1 });
    expect(evaluation.sizeAt?.(evaluation.length)).to.equal(undefined);
  });

  for (const evalShare of [0, 1, -0.1, Number.NaN]) {
    it(`refuses a share of ${evalShare}`, async () => {
      expect((await failureOf(async () => split({ evalShare }))).code).to.equal("ATTUNE_OPTION");
    });
  }

  it("refuses rows that all have one prompt", async () => {
    const error = await failureOf(async () => split({ rows: [row("a", 0), row("a", 1)] }));
    expect(error.code).to.equal("ATTUNE_DATA");
    expect(error.message).to.contain("all 2 rows have the same one");
  });
});
