// Numbers for what the service draws, from the project's seed and names of the place: a restart draws the same.
// Must not hold state outside of what it returns.

import { philox, type RandomStream, randomStreams, seedKey, type Words } from "../data/index.js";
import type { RandomWords } from "../preference/index.js";

export interface NumbersAt {
  readonly seed: number;
  readonly stream: RandomStream;
  /** Such as the number of a person, and how many draws they have had. */
  readonly row: number;
  readonly column: number;
}

/** Numbers in [0, 1), one after another, with 32 bits. */
export function numbersAt({ seed, stream, row, column }: NumbersAt): () => number {
  const key = seedKey(seed);
  let words: Words = [0, 0, 0, 0];
  let [block, used] = [0, 4];
  return () => {
    if (used === 4) {
      words = philox(
        [randomStreams[stream] | (block << 8), row >>> 0, column >>> 0, Math.floor(column / 2 ** 32)],
        key,
      );
      block += 1;
      used = 0;
    }
    const word = words[used] ?? 0;
    used += 1;
    return word / 2 ** 32;
  };
}

/** A random order of 0 to count - 1 (Fisher and Yates). */
export function shuffled(count: number, draw: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}

/** For bootstraps: a function of the seed and the place. */
export function bootstrapWords(seed: number): RandomWords {
  const key = seedKey(seed);
  return ({ step, row, position }) => philox([randomStreams.bootstrap, step, row, position], key);
}
