// Random words for tests of lib/preference: Philox, as callers hand it in.

import { philox, randomStreams, seedKey } from "../../lib/data/index.js";
import type { RandomWords } from "../../lib/preference/index.js";

export function testWords(seed: number): RandomWords {
  const key = seedKey(seed);
  return ({ step, row, position }) => philox([randomStreams.bootstrap, step, row, position], key);
}

/** [count] numbers in [-1, 1), the same for the same seed. */
export function testNumbers(seed: number, count: number): Float64Array {
  const words = testWords(seed);
  return Float64Array.from({ length: count }, (_, position) => {
    return words({ step: 7, row: 0, position })[0] / 2 ** 31 - 1;
  });
}
