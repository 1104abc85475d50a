// Sequences of unequal length in flat arrays: where each begins, and sums over each in the order of tokens.
// Must not know what the numbers mean.

import { fail } from "../errors/index.js";

/** Numbers by index: typed arrays and plain ones. */
export type Numbers = ArrayLike<number>;

/** [sequences + 1] the first token of each sequence in arrays of [tokens], and the number of all tokens at the end. */
export function startsOf(lengths: Numbers): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) starts[i + 1] = (starts[i] ?? 0) + (lengths[i] ?? 0);
  return starts;
}

/** [sequences] tokens of each. */
export function lengthsOf(starts: Numbers): Int32Array {
  return Int32Array.from({ length: starts.length - 1 }, (_, i) => (starts[i + 1] ?? 0) - (starts[i] ?? 0));
}

/** Throws ATTUNE_SHAPE unless every sequence has a token and every array one value per token. */
export function expectTokens(starts: Numbers, arrays: Readonly<Record<string, Numbers | undefined>>): void {
  const empty = lengthsOf(starts).findIndex((length) => length < 1);
  if (empty >= 0)
    throw fail("ATTUNE_SHAPE", `Expected at least one token in sequence ${empty} but there is none.`);
  const tokens = starts[starts.length - 1] ?? 0;
  expectLengths(tokens, "token", arrays);
}

/** Throws ATTUNE_SHAPE unless every array has one value per sequence. */
export function expectSequences(
  starts: Numbers,
  arrays: Readonly<Record<string, Numbers | undefined>>,
): void {
  expectLengths(starts.length - 1, "sequence", arrays);
}

function expectLengths(
  count: number,
  of: "token" | "sequence",
  arrays: Readonly<Record<string, Numbers | undefined>>,
): void {
  for (const [name, array] of Object.entries(arrays)) {
    if (array === undefined || array.length === count) continue;
    const text = `${name}: expected one value per ${of} (${count}) but received ${array.length}.`;
    throw fail("ATTUNE_SHAPE", text);
  }
}

/** [tokens] the value of each one's sequence. */
export function ofTokens(starts: Numbers, values: Numbers): Float64Array {
  const spread = new Float64Array(starts[starts.length - 1] ?? 0);
  for (let i = 0; i < values.length; i++) spread.fill(values[i] ?? Number.NaN, starts[i], starts[i + 1]);
  return spread;
}

/** [sequences] sum of a value over each one's tokens, in double precision and in the order of tokens. */
export function sumsOver(starts: Numbers, value: (token: number) => number): Float64Array {
  return Float64Array.from({ length: starts.length - 1 }, (_, i) => {
    let sum = 0;
    for (let token = starts[i] ?? 0; token < (starts[i + 1] ?? 0); token++) sum += value(token);
    return sum;
  });
}

/** Mean in double precision, in order; NaN of nothing. */
export function meanOf(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? Number.NaN;
  return sum / values.length;
}

/** Sum of squared distances to the mean divided by n, or by n - 1; 0 where that leaves nothing. */
export function varianceOf(values: Numbers, { unbiased }: { readonly unbiased: boolean }): number {
  const count = values.length - (unbiased ? 1 : 0);
  if (count < 1) return 0;
  const mean = meanOf(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] ?? Number.NaN) - mean) ** 2;
  return sum / count;
}
