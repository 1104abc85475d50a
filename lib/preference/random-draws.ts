// Draws made of random words that are handed in: uniform, normal, whole numbers. Pure: the same words, the same draws.
// Must not hold a generator: the caller names the stream.

import type { Words } from "../data/index.js";

/**
 * Four 32-bit words for a row, a position in it and a step of trying again. Of Philox: the counter's last three words, the
 * first naming what the draws are for.
 */
export type RandomWords = (at: {
  readonly step: number;
  readonly row: number;
  readonly position: number;
}) => Words;

/** Top 24 bits of a word: [0, 1). */
function uniformOf(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** A whole number in [0, below), each as likely as the other: words that would favour some are thrown away. */
export function wholeBelow(words: RandomWords, below: number, row: number, position: number): number {
  const limit = Math.floor(2 ** 32 / below) * below;
  for (let step = 0; ; step++) {
    for (const word of words({ step, row, position })) if (word < limit) return word % below;
  }
}

/** [count] standard normal numbers of one row, four to a position: Box and Muller, two by two. */
export function normals(words: RandomWords, count: number, row: number): Float64Array {
  const values = new Float64Array(count);
  for (let position = 0; 4 * position < count; position++) {
    const drawn = words({ step: 0, row, position });
    for (const pair of [0, 2] as const) {
      // 1 - u is in (0, 1]: its logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log(1 - uniformOf(drawn[pair])));
      const angle = 2 * Math.PI * uniformOf(drawn[pair + 1] ?? 0);
      const at = 4 * position + pair;
      if (at < count) values[at] = radius * Math.cos(angle);
      if (at + 1 < count) values[at + 1] = radius * Math.sin(angle);
    }
  }
  return values;
}

/** Whole numbers below `below`, one after another, from all four words of each position: for draws by the million. */
export function drawsOf(words: RandomWords, row: number): (below: number) => number {
  let [position, used] = [0, 4];
  let current: Words = [0, 0, 0, 0];
  return (below) => {
    const limit = Math.floor(2 ** 32 / below) * below;
    for (;;) {
      if (used === 4) {
        current = words({ step: 0, row, position });
        position += 1;
        used = 0;
      }
      const word = current[used] ?? 0;
      used += 1;
      if (word < limit) return word % below;
    }
  };
}

/** [prompts] how often each is drawn when as many are drawn with replacement: one bootstrap sample. */
export function drawCounts(words: RandomWords, prompts: number, row: number): Float64Array {
  const counts = new Float64Array(prompts);
  for (let draw = 0; draw < prompts; draw++) {
    const prompt = wholeBelow(words, prompts, row, draw);
    counts[prompt] = (counts[prompt] ?? 0) + 1;
  }
  return counts;
}
