// Compares tensors by their bits, and gradients by their distance. Must not import the library's code.

import { expect } from "chai";
import { l2, relativeL2 } from "../support/oracle-compare.js";

export type NamedTensors = ReadonlyMap<string, Float32Array>;

/** The first entry whose bits differ, in words; undefined when there is none. NaN differs from everything. */
export function firstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} values instead of ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [own, other] = [actual[i], expected[i]];
    if (own === undefined || Number.isNaN(own) || !Object.is(own, other))
      return `value ${i}: ${own}, not ${other}`;
  }
  return undefined;
}

export function firstTensorDifference(actual: NamedTensors, expected: NamedTensors): string | undefined {
  if (actual.size !== expected.size) return `${actual.size} tensors instead of ${expected.size}`;
  for (const [name, values] of expected) {
    const found = firstDifference(actual.get(name) ?? [], values);
    if (found !== undefined) return `${name}, ${found}`;
  }
  return undefined;
}

export function expectSameBits(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(expected.length, "number of values").to.be.greaterThan(0);
  expect(firstDifference(actual, expected)).to.equal(undefined);
}

export function expectSameTensors(actual: NamedTensors, expected: NamedTensors): void {
  expect(expected.size, "number of tensors").to.be.greaterThan(0);
  expect(firstTensorDifference(actual, expected)).to.equal(undefined);
}

/** Relative L2 distance of all tensors as one vector. */
export function relativeDistance(actual: NamedTensors, expected: NamedTensors): number {
  let difference = 0;
  let norm = 0;
  for (const [name, values] of expected) {
    const own = actual.get(name) ?? new Float32Array(0);
    if (own.length !== values.length) return Number.NaN;
    const size = l2(values);
    difference += (size === 0 ? l2(own) : relativeL2(own, values) * size) ** 2;
    norm += size ** 2;
  }
  return Math.sqrt(difference / norm);
}
