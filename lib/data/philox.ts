// Philox4x32-10 (Salmon et al. 2011) in plain TypeScript: the same words as native/core/philox.h.
// Must not keep state: every word is a function of its coordinates.

/** What a draw is for; the number is the counter's first word. */
export const randomStreams = {
  init: 0,
  shuffle: 1,
  sample: 2,
  bootstrap: 3,
  project: 4,
  principle: 5,
  side: 6,
  gold: 7,
  simulate: 8,
  select: 9,
} as const;

export type RandomStream = keyof typeof randomStreams;

/** Four unsigned 32-bit words. */
export type Words = readonly [number, number, number, number];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** Upper half of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const other = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) >>> 0;
}

/**
 * Ten rounds over a counter.
 * @param counter four unsigned 32-bit words
 * @param key two unsigned 32-bit words, the low one first
 */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [word0, word1, word2, word3] = counter;
  let [key0, key1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, word0);
    const high1 = multiplyHigh(MULTIPLIER_1, word2);
    const low0 = Math.imul(MULTIPLIER_0, word0) >>> 0;
    const low1 = Math.imul(MULTIPLIER_1, word2) >>> 0;
    [word0, word1, word2, word3] = [(high1 ^ word1 ^ key0) >>> 0, low1, (high0 ^ word3 ^ key1) >>> 0, low0];
    key0 = (key0 + WEYL_0) >>> 0;
    key1 = (key1 + WEYL_1) >>> 0;
  }
  return [word0, word1, word2, word3];
}

/** The two words of a 64-bit seed, low first. A negative seed counts from 2^64 down. */
export function seedKey(seed: number | bigint): readonly [number, number] {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}
