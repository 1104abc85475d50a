// Draws of the toy world: each is a function of (seed, stream, step, row, position), nothing is remembered.
// Must not import engine or train.

import { philox, type RandomStream, randomStreams, seedKey } from "../data/index.js";

export interface DrawPlace {
  readonly seed: number;
  readonly stream: RandomStream;
  readonly step: number;
  readonly row: number;
}

/** A whole number in [0, bound) at a place; `position` tells draws of one row apart. Biased by less than 2^-24. */
export function drawIndex(place: DrawPlace, position: number, bound: number): number {
  const { seed, stream, step, row } = place;
  const [word] = philox([randomStreams[stream], step, row, position], seedKey(seed));
  return Math.floor(((word >>> 8) / 2 ** 24) * bound);
}

/** Normal numbers with mean 0 and the given deviation, [count], by Box and Muller from pairs of words. */
export function drawNormals(place: DrawPlace, count: number, deviation: number): Float32Array {
  const { seed, stream, step, row } = place;
  const key = seedKey(seed);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox([randomStreams[stream], step, row, i / 4], key);
    for (const half of [0, 2] as const) {
      // In (0, 1], so that the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log(((words[half] >>> 8) + 1) / 2 ** 24));
      const angle = 2 * Math.PI * ((words[(half + 1) as 1 | 3] >>> 8) / 2 ** 24);
      if (i + half < count) values[i + half] = deviation * radius * Math.cos(angle);
      if (i + half + 1 < count) values[i + half + 1] = deviation * radius * Math.sin(angle);
    }
  }
  return values;
}
