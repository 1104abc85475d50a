// Draws of the toy world: each is a function of (seed, stream, step, row, position), nothing else is remembered.
// Must not import engine or train.

import { philox, type RandomStream, randomStreams, seedKey } from "../data/index.js";

export interface DrawPlace {
  readonly seed: number;
  readonly stream: RandomStream;
  /** Tells uses of one stream apart. */
  readonly step: number;
  readonly row: number;
}

const WORDS = 2 ** 32;

/** Draws one after another at a place: draw i is the first word of (stream, step, row, i). */
export class Draws {
  readonly #place: DrawPlace;
  readonly #key: readonly [number, number];
  #position = 0;

  constructor(place: DrawPlace) {
    this.#place = place;
    this.#key = seedKey(place.seed);
  }

  #word(): number {
    const { stream, step, row } = this.#place;
    return philox([randomStreams[stream], step, row, this.#position++], this.#key)[0];
  }

  /** In [0, 1): the top 24 bits of a word. */
  uniform(): number {
    return (this.#word() >>> 8) / 2 ** 24;
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** A whole number in [0, bound), each as likely; words that would favour some are skipped. */
  below(bound: number): number {
    const limit = WORDS - (WORDS % bound);
    for (;;) {
      const word = this.#word();
      if (word < limit) return word % bound;
    }
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new RangeError("picked from an empty list");
    return item;
  }

  /** Standard logistic noise: log(u / (1 - u)). */
  logistic(): number {
    const u = (this.uniform() * 2 ** 24 + 0.5) / 2 ** 24;
    return Math.log(u / (1 - u));
  }
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
