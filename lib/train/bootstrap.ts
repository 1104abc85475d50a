// How often each head of an ensemble counts a row: Poisson(1), the bootstrap whose rows need not know of each other.
// Must keep no state: a weight is a function of seed, row and head.

import { philox, randomStreams, seedKey } from "../data/index.js";

export interface BootstrapRow {
  /** 64 bits. */
  readonly seed: number | bigint;
  /** Number of the row in file order: the same weights in every epoch, batch and resumed run. */
  readonly row: number;
  readonly heads: number;
}

/** [heads] whole numbers >= 0 with mean 1. */
export function bootstrapWeights({ seed, row, heads }: BootstrapRow): Float64Array {
  const key = seedKey(seed);
  return Float64Array.from({ length: heads }, (_, head) => {
    const [word] = philox([randomStreams.bootstrap, 0, row, head], key);
    return poissonOne((word >>> 8) * 2 ** -24);
  });
}

/** The smallest k whose cumulative probability under Poisson(1) is above a uniform number in [0, 1). */
function poissonOne(uniform: number): number {
  let term = Math.exp(-1);
  let sum = term;
  let k = 0;
  while (uniform >= sum && k < 20) {
    k += 1;
    term /= k;
    sum += term;
  }
  return k;
}
