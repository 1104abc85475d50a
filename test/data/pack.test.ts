import { expect } from "chai";
import {
  type PackableRow,
  type PackedBatch,
  packRows,
  packStep,
  targetsOfRow,
  trunkRowsOf,
} from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";

function row(prompt: readonly number[], ...completions: readonly (readonly number[])[]): PackableRow {
  return { prompt: Int32Array.from(prompt), completions: completions.map((ids) => Int32Array.from(ids)) };
}

function plain(batch: PackedBatch) {
  const { counts, ...arrays } = batch;
  return { ...Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, [...array]])), counts };
}

/** The tokens each target's row sees, in order of position: its own segment up to it, after its prefix. */
function contexts(batch: PackedBatch): { seen: number[]; token: number }[] {
  const { tokens, positions, segments, targets } = batch;
  return Array.from({ length: targets.length / 2 }, (_, i) => {
    const at = targets[2 * i] ?? -1;
    for (let s = 0; s < segments.length; s += 3) {
      const [start = 0, length = 0, prefix = -1] = segments.subarray(s, s + 3);
      if (at < start || at >= start + length) continue;
      const [from = 0, size = 0] = prefix < 0 ? [] : segments.subarray(3 * prefix, 3 * prefix + 2);
      const rows = [...Array(size).keys()]
        .map((k) => from + k)
        .concat([...Array(at - start + 1).keys()].map((k) => start + k));
      expect(rows.map((r) => positions[r])).to.deep.equal(rows.map((_, k) => k));
      return { seen: rows.map((r) => tokens[r] ?? -1), token: targets[2 * i + 1] ?? -1 };
    }
    throw new Error(`target row ${at} lies in no segment`);
  });
}

describe("packRows", () => {
  it("puts a demonstration's prompt and completion into two segments", () => {
    expect(plain(packRows({ data: [row([1, 2], [3, 4, 5])], rows: [0] }))).to.deep.equal({
      tokens: [1, 2, 3, 4],
      positions: [0, 1, 2, 3],
      segments: [0, 2, -1, 2, 2, 0],
      targets: [1, 3, 2, 4, 3, 5],
      completions: [0, 3],
      groups: [0, 1],
      rows: [0],
      counts: { tokens: 5, tokensComputed: 4, targets: 3 },
    });
  });

  it("packs whole answers for scores, with one target after the last token of each", () => {
    const data = [row([1, 2], [3, 4], [], [5])];
    const packed = packRows({ data, rows: [0], score: true });
    expect(plain(packed)).to.deep.equal({
      tokens: [1, 2, 3, 4, 5],
      positions: [0, 1, 2, 3, 2],
      segments: [0, 2, -1, 2, 2, 0, 4, 1, 0],
      targets: [3, 4, 1, 0, 4, 5],
      completions: [0, 1, 1, 1, 2, 1],
      groups: [0, 3],
      rows: [0],
      counts: { tokens: 9, tokensComputed: 5, targets: 3 },
    });
    expect(contexts(packed).map(({ seen }) => seen)).to.deep.equal([
      [1, 2, 3, 4],
      [1, 2],
      [1, 2, 5],
    ]);
    expect(packStep({ data, rows: [0], microBatchTokens: 5, score: true }).map(plain)).to.deep.equal([
      plain(packed),
    ]);
  });

  it("places a pair's prompt once, its answers both seeing it", () => {
    expect(plain(packRows({ data: [row([1, 2], [3, 4], [5, 6, 7])], rows: [0] }))).to.deep.equal({
      tokens: [1, 2, 3, 5, 6],
      positions: [0, 1, 2, 2, 3],
      segments: [0, 2, -1, 2, 1, 0, 3, 2, 0],
      targets: [1, 3, 2, 4, 1, 5, 3, 6, 4, 7],
      completions: [0, 2, 2, 3],
      groups: [0, 2],
      rows: [0],
      counts: { tokens: 9, tokensComputed: 5, targets: 5 },
    });
  });

  it("gives a completion of one token no trunk row and no segment", () => {
    const batch = packRows({ data: [row([1], [2], [3, 4])], rows: [0] });
    expect(plain(batch)).to.deep.include({
      tokens: [1, 3],
      segments: [0, 1, -1, 1, 1, 0],
      targets: [0, 2, 0, 3, 1, 4],
    });
  });

  it("numbers segments, targets and completions through several groups", () => {
    const data = [row([1], [2]), row([3, 4], [5, 6]), row([7], [8, 9])];
    expect(plain(packRows({ data, rows: [2, 1] }))).to.deep.include({
      tokens: [7, 8, 3, 4, 5],
      positions: [0, 1, 0, 1, 2],
      segments: [0, 1, -1, 1, 1, 0, 2, 2, -1, 4, 1, 2],
      targets: [0, 8, 1, 9, 3, 5, 4, 6],
      completions: [0, 2, 2, 2],
      groups: [0, 1, 1, 1],
      rows: [2, 1],
    });
  });

  it("lets each target see exactly the tokens before it in its own sequence", () => {
    const data = [row([1, 2, 3], [4, 5, 6], [7], [8, 9]), row([10], [11, 12])];
    const wanted = data.flatMap(({ prompt, completions }) =>
      completions.flatMap((ids) =>
        [...ids].map((token, i) => ({ seen: [...prompt, ...ids.slice(0, i)], token })),
      ),
    );
    expect(contexts(packRows({ data, rows: [0, 1] }))).to.deep.equal(wanted);
  });

  it("leaves out targets that a mask leaves out, and no trunk row with them", () => {
    const masked = { ...row([1, 2], [3, 4, 5, 6]), masks: [Uint8Array.of(1, 0, 0, 1)] };
    expect(plain(packRows({ data: [masked], rows: [0] }))).to.deep.equal({
      tokens: [1, 2, 3, 4, 5],
      positions: [0, 1, 2, 3, 4],
      segments: [0, 2, -1, 2, 3, 0],
      targets: [1, 3, 4, 6],
      completions: [0, 2],
      groups: [0, 1],
      rows: [0],
      counts: { tokens: 6, tokensComputed: 5, targets: 2 },
    });
  });

  it("counts the targets of a masked row", () => {
    const masked = { ...row([1], [2, 3], [4, 5, 6]), masks: [undefined, Uint8Array.of(0, 1, 0)] };
    expect(targetsOfRow(masked)).to.equal(3);
  });

  it("lets masked rows, packed together, see what they see alone", () => {
    const one = { ...row([1, 2], [3, 4, 5]), masks: [Uint8Array.of(0, 1, 1)] };
    const two = { ...row([6], [7, 8], [9, 10, 11]), masks: [undefined, Uint8Array.of(1, 0, 1)] };
    const alone = [one, two].flatMap((only) => contexts(packRows({ data: [only], rows: [0] })));
    expect(contexts(packRows({ data: [one, two], rows: [0, 1] }))).to.deep.equal(alone);
    expect(alone.map(({ token }) => token)).to.deep.equal([4, 5, 7, 8, 9, 11]);
  });

  it("takes an empty completion as a group member without targets", () => {
    expect(plain(packRows({ data: [row([1, 2], [])], rows: [0] }))).to.deep.include({
      tokens: [1, 2],
      targets: [],
      completions: [0, 0],
    });
  });

  it("refuses a row without a prompt token", async () => {
    const error = await failureOf(() => packRows({ data: [row([], [1])], rows: [0] }));
    expect(error.code).to.equal("ATTUNE_SHAPE");
  });

  it("refuses a row that is not there", async () => {
    expect((await failureOf(() => packRows({ data: [], rows: [0] }))).code).to.equal("ATTUNE_SHAPE");
  });
});

describe("packStep", () => {
  /** A row of so many trunk rows. */
  const long = (rows: number) => row(Array(rows).fill(1), [2]);
  const rowsOf = (batches: readonly PackedBatch[]) => batches.map((batch) => [...batch.rows]);

  it("counts a prompt once and leaves out the last token of each completion", () => {
    expect(trunkRowsOf(row([1, 2, 3], [4, 5], [6], []))).to.equal(4);
  });

  it("fills micro-batches best, longest rows first", () => {
    const data = [4, 6, 3, 7].map(long);
    expect(rowsOf(packStep({ data, rows: [0, 1, 2, 3], microBatchTokens: 10 }))).to.deep.equal([
      [0, 1],
      [2, 3],
    ]);
  });

  it("takes the fullest micro-batch that still has room", () => {
    const data = [7, 8, 2].map(long);
    expect(rowsOf(packStep({ data, rows: [0, 1, 2], microBatchTokens: 10 }))).to.deep.equal([[0], [1, 2]]);
  });

  it("gives a row over the budget a micro-batch of its own", () => {
    const data = [2, 30, 3].map(long);
    expect(rowsOf(packStep({ data, rows: [0, 1, 2], microBatchTokens: 10 }))).to.deep.equal([[0, 2], [1]]);
  });

  it("keeps a pair together", () => {
    const pair = row([1, 2], [3, 4, 5], [6, 7, 8]);
    const batches = packStep({ data: [pair, pair], rows: [0, 1], microBatchTokens: 7 });
    expect(batches.map((batch) => [...batch.groups])).to.deep.equal([
      [0, 2],
      [0, 2],
    ]);
  });

  it("keeps the step's order inside and between micro-batches", () => {
    const data = [5, 5, 5, 5].map(long);
    expect(rowsOf(packStep({ data, rows: [3, 0, 2, 1], microBatchTokens: 10 }))).to.deep.equal([
      [3, 0],
      [2, 1],
    ]);
  });

  it("keeps within the budget, holds each row once, and counts the same tokens for any budget", () => {
    const data = Array.from({ length: 60 }, (_, i) =>
      row(Array(1 + ((i * 37) % 50)).fill(1), [2, 3], Array(1 + ((i * 11) % 20)).fill(4)),
    );
    const rows = data.map((_, i) => (i * 7) % 60);
    const total = (batches: readonly PackedBatch[], key: "tokens" | "tokensComputed" | "targets") =>
      batches.reduce((sum, batch) => sum + batch.counts[key], 0);
    const one = packStep({ data, rows, microBatchTokens: 1e6 });
    expect(one).to.have.length(1);
    for (const microBatchTokens of [75, 100, 512]) {
      const batches = packStep({ data, rows, microBatchTokens });
      for (const batch of batches) expect(batch.tokens.length).to.be.at.most(microBatchTokens);
      expect(batches.flatMap((batch) => [...batch.rows]).sort((a, b) => a - b)).to.deep.equal(
        data.map((_, i) => i),
      );
      for (const key of ["tokens", "tokensComputed", "targets"] as const) {
        expect(total(batches, key), key).to.equal(total(one, key));
      }
    }
  });

  it("refuses a budget of 0", async () => {
    const error = await failureOf(() => packStep({ data: [], rows: [], microBatchTokens: 0 }));
    expect(error.code).to.equal("ATTUNE_OPTION");
  });
});

describe("packing rows of one prompt with sharePrompts", () => {
  const single = (prompt: readonly number[], ids: readonly number[]) => ({
    prompt: Int32Array.from(prompt),
    completions: [Int32Array.from(ids)],
  });
  const data = [
    single([1, 2], [10, 11]),
    single([3], [20]),
    single([1, 2], [30, 31, 32]),
    single([1, 2], [40]),
  ];
  const all = [0, 1, 2, 3];

  it("writes the prompt once, and each row is still a group of its own", () => {
    const batch = packRows({ data, rows: all, sharePrompts: true });
    expect([...batch.tokens]).to.deep.equal([1, 2, 10, 3, 30, 31]);
    expect([...batch.segments]).to.deep.equal([0, 2, -1, 2, 1, 0, 3, 1, -1, 4, 2, 0]);
    expect([...batch.positions]).to.deep.equal([0, 1, 2, 0, 2, 3]);
    expect([...batch.targets]).to.deep.equal([1, 10, 2, 11, 3, 20, 1, 30, 4, 31, 5, 32, 1, 40]);
    expect([...batch.groups]).to.deep.equal([0, 1, 1, 1, 2, 1, 3, 1]);
    expect([...batch.completions]).to.deep.equal([0, 2, 2, 1, 3, 3, 6, 1]);
    expect(batch.counts).to.deep.equal({ tokens: 4 + 2 + 5 + 3, tokensComputed: 6, targets: 7 });
  });

  it("puts rows of one prompt into one micro-batch, whatever lies between them", () => {
    const batches = packStep({ data, rows: all, microBatchTokens: 5, sharePrompts: true });
    expect(batches.map(({ rows }) => [...rows])).to.deep.equal([[0, 2, 3], [1]]);
  });

  it("repeats the prompt in another micro-batch where one cannot take all", () => {
    const batches = packStep({ data, rows: all, microBatchTokens: 4, sharePrompts: true });
    expect(batches.map(({ rows }) => [...rows])).to.deep.equal([
      [0, 1],
      [2, 3],
    ]);
    const alone = packStep({ data, rows: all, microBatchTokens: 1, sharePrompts: true });
    expect(alone.map(({ rows }) => [...rows])).to.deep.equal([[0], [1], [2], [3]]);
  });

  it("leaves every row its own prompt by default", () => {
    expect(packRows({ data, rows: all }).counts.tokensComputed).to.equal(10);
  });
});
