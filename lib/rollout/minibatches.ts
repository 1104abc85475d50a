// Minibatches of a rollout: each epoch all samples in an order of its own, cut into parts. Must not keep state.

import { epochOrder } from "../data/index.js";
import { fail } from "../errors/index.js";

export interface MinibatchOptions {
  /** Samples of the rollout. */
  readonly samples: number;
  /** Number of the rollout. */
  readonly rollout: number;
  /** Passes over a rollout. */
  readonly epochs: number;
  /** Parts of each pass, one optimiser step each; sizes differ by one at most. */
  readonly minibatches: number;
  /** 64 bits. */
  readonly seed: number | bigint;
}

export interface Minibatch {
  /** From 0, within the rollout. */
  readonly epoch: number;
  readonly minibatch: number;
  /** Samples of the rollout. */
  readonly rows: Int32Array;
}

/**
 * epochs * minibatches parts: the optimiser steps of one rollout. The order of epoch e of rollout r is that of Philox(seed;
 * stream shuffle, r epochs + e, sample, 2), which no order of prompts has anything to do with. Throws ATTUNE_OPTION for more parts than samples.
 */
export function* minibatchesOf(options: MinibatchOptions): Generator<Minibatch> {
  const { samples, rollout, epochs, minibatches, seed } = options;
  if (!(Number.isSafeInteger(minibatches) && minibatches >= 1 && minibatches <= samples)) {
    const text = `Expected minibatches to be an integer from 1 to the rollout's ${samples} samples but received ${minibatches}.`;
    throw fail("ATTUNE_OPTION", text);
  }
  for (let epoch = 0; epoch < epochs; epoch++) {
    const number = rollout * epochs + epoch;
    const order = epochOrder({ rowCount: samples, epoch: number, seed, shuffle: true, of: "minibatches" });
    for (let minibatch = 0; minibatch < minibatches; minibatch++) {
      const [first, end] = [minibatch, minibatch + 1].map((part) =>
        Math.floor((part * samples) / minibatches),
      );
      yield { epoch, minibatch, rows: order.slice(first, end) };
    }
  }
}
