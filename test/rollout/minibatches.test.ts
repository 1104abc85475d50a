// Minibatches of a rollout: every sample once per epoch, in an order of Philox.

import { expect } from "chai";
import { epochOrder } from "../../lib/data/index.js";
import { minibatchesOf } from "../../lib/rollout/index.js";
import { expectFailure } from "../errors/expect-failure.js";

const options = { samples: 7, rollout: 3, epochs: 2, minibatches: 3, seed: 5 };

describe("minibatches", () => {
  const all = [...minibatchesOf(options)];

  it("are epochs times parts of nearly equal size, each sample once per epoch", () => {
    expect(all.map(({ epoch, minibatch }) => [epoch, minibatch])).to.deep.equal([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    for (const epoch of [0, 1]) {
      const parts = all.filter((part) => part.epoch === epoch).map(({ rows }) => [...rows]);
      expect(parts.map(({ length }) => length)).to.deep.equal([2, 2, 3]);
      expect(parts.flat()).to.deep.equal([
        ...epochOrder({ rowCount: 7, epoch: 6 + epoch, seed: 5, shuffle: true, of: "minibatches" }),
      ]);
    }
  });

  it("differ between rollouts and repeat for the same one", () => {
    const order = (rollout: number) =>
      [...minibatchesOf({ ...options, rollout })].flatMap(({ rows }) => [...rows]);
    expect(order(3)).to.deep.equal(all.flatMap(({ rows }) => [...rows]));
    expect(order(4)).to.not.deep.equal(order(3));
  });

  it("have nothing to do with the order of prompts: of two, each comes first half of the time", () => {
    const rollouts = Array.from({ length: 400 }, (_, rollout) => rollout);
    const firsts = rollouts.filter((rollout) => {
      const [first] = minibatchesOf({ samples: 2, rollout, epochs: 1, minibatches: 2, seed: 1 });
      const prompts = epochOrder({ rowCount: 2, epoch: rollout, seed: 1, shuffle: true });
      return prompts[first?.rows[0] ?? 0] === 0;
    });
    expect(firsts.length).to.be.within(160, 240);
  });

  it("are no more than samples", () =>
    expectFailure(
      () => [...minibatchesOf({ ...options, minibatches: 8 })],
      "ATTUNE_OPTION",
      "from 1 to the rollout's 7",
    ));
});
