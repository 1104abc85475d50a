import { expect } from "chai";
import {
  epochOrder,
  philox,
  randomStreams,
  seedKey,
  stepRows,
  stepsPerEpoch,
  type Words,
} from "../../lib/data/index.js";
import { failureOf } from "../errors/expect-failure.js";

describe("philox", () => {
  // Known answers of Random123 (kat_vectors, philox4x32 10).
  const known: readonly (readonly [Words, readonly [number, number], Words])[] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, words] of known) {
    it(`gives the published words for counter ${counter.map((word) => word.toString(16)).join(" ")}`, () => {
      expect(philox(counter, key)).to.deep.equal(words);
    });
  }

  it("numbers the streams as native code does", () => {
    expect(Object.values(randomStreams)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(randomStreams.shuffle).to.equal(1);
  });
});

describe("seedKey", () => {
  it("splits a seed into its low and high words", () => {
    expect(seedKey(0x1234_5678_9abcn)).to.deep.equal([0x5678_9abc, 0x1234]);
    expect(seedKey(2 ** 40 + 5)).to.deep.equal([5, 256]);
    expect(seedKey(-1)).to.deep.equal([0xffffffff, 0xffffffff]);
  });
});

describe("epochOrder", () => {
  const shuffled = { rowCount: 1000, epoch: 0, seed: 7, shuffle: true };

  it("is file order without shuffling", () => {
    expect([...epochOrder({ ...shuffled, rowCount: 4, shuffle: false })]).to.deep.equal([0, 1, 2, 3]);
  });

  it("holds every row once", () => {
    expect([...epochOrder(shuffled)].sort((a, b) => a - b)).to.deep.equal(
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });

  it("sorts by the shuffle stream's first word for (epoch, row)", () => {
    const order = [...epochOrder({ rowCount: 50, epoch: 3, seed: 7n, shuffle: true })];
    const words = order.map((row) => philox([1, 3, row, 0], [7, 0])[0]);
    expect(words).to.deep.equal([...words].sort((a, b) => a - b));
    expect(order).to.not.deep.equal([...order].sort((a, b) => a - b));
  });

  it("is another in another epoch and with another seed", () => {
    const texts = [shuffled, { ...shuffled, epoch: 1 }, { ...shuffled, seed: 8 }].map((o) =>
      epochOrder(o).join(),
    );
    expect(new Set(texts).size).to.equal(3);
  });
});

describe("stepRows", () => {
  const options = { rowCount: 5, batchSize: 2, seed: 1, shuffle: false };

  const take = (count: number, from = 0) => {
    const steps = [];
    for (const step of stepRows({ ...options, from })) {
      steps.push({ ...step, rows: [...step.rows] });
      if (steps.length === count) break;
    }
    return steps;
  };

  it("cuts each epoch into batches, the last one smaller", () => {
    expect(take(4)).to.deep.equal([
      { step: 0, epoch: 0, rows: [0, 1] },
      { step: 1, epoch: 0, rows: [2, 3] },
      { step: 2, epoch: 0, rows: [4] },
      { step: 3, epoch: 1, rows: [0, 1] },
    ]);
  });

  it("continues at a later step as if the earlier ones had run", () => {
    for (const from of [1, 3, 4]) expect(take(4, from)).to.deep.equal(take(4 + from).slice(from));
  });

  it("counts the steps of an epoch", () => {
    expect(stepsPerEpoch({ rowCount: 5, batchSize: 2 })).to.equal(3);
  });

  it("ends at once without rows", () => {
    expect([...stepRows({ ...options, rowCount: 0 })]).to.deep.equal([]);
  });

  it("refuses a batch size of 0", async () => {
    const error = await failureOf(() => stepsPerEpoch({ rowCount: 5, batchSize: 0 }));
    expect(error.code).to.equal("ATTUNE_OPTION");
  });
});
