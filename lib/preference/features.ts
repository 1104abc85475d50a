// From hidden states to the features of a linear reward: centred, projected to fewer dimensions where asked, scaled.
// An affine map fitted once; must not know models or judgements.

import { fail } from "../errors/index.js";
import { normOf } from "./cholesky.js";
import { normals, type RandomWords } from "./random-draws.js";

/** phi(h) = scale P (h - mean), P the identity or a random projection. */
export interface FeatureMap {
  /** [inputSize] mean of the states it was fitted on. */
  readonly mean: Float64Array;
  /** [size x inputSize] entries N(0, 1/size), which keep lengths on average; undefined: no projection. */
  readonly projection: Float64Array | undefined;
  readonly inputSize: number;
  readonly size: number;
  readonly scale: number;
}

export interface FitFeatures {
  /** [items x inputSize], row after row. */
  readonly states: ArrayLike<number>;
  readonly inputSize: number;
  /** The longest feature of the fitted states gets this length, L. Default 1. */
  readonly length?: number;
  /** Fewer dimensions, and where the projection's entries come from. */
  readonly project?: { readonly size: number; readonly words: RandomWords } | undefined;
}

/** @throws ATTUNE_SHAPE, ATTUNE_OPTION or ATTUNE_NOT_FINITE */
export function fitFeatures({ states, inputSize, length = 1, project }: FitFeatures): FeatureMap {
  const items = states.length / inputSize;
  if (!Number.isInteger(items) || items < 1)
    throw fail(
      "ATTUNE_SHAPE",
      `states: expected rows of ${inputSize} numbers but got ${states.length} numbers.`,
    );
  const size = project?.size ?? inputSize;
  if (!Number.isInteger(size) || size < 1 || size > inputSize) {
    const text = `Expected project to be a whole number from 1 to ${inputSize}, the width of the states,`;
    throw fail("ATTUNE_OPTION", `${text} but received ${size}.`);
  }
  const mean = new Float64Array(inputSize);
  for (let at = 0; at < states.length; at++)
    mean[at % inputSize] = (mean[at % inputSize] ?? 0) + (states[at] ?? 0) / items;
  const projection = project && projectionOf(size, inputSize, project.words);
  const map = { mean, projection, inputSize, size, scale: 1 };
  let longest = 0;
  for (let item = 0; item < items; item++) {
    const norm = normOf(featureOf(map, states, item));
    if (!Number.isFinite(norm))
      throw fail("ATTUNE_NOT_FINITE", `states: expected finite numbers but item ${item} has others.`);
    longest = Math.max(longest, norm);
  }
  // All states equal: every feature is 0 whatever the scale.
  return { ...map, scale: longest === 0 ? 1 : length / longest };
}

/** [size x inputSize], a row of normal draws for each dimension. */
export function projectionOf(size: number, inputSize: number, words: RandomWords): Float64Array {
  const projection = new Float64Array(size * inputSize);
  for (let row = 0; row < size; row++)
    projection.set(
      normals(words, inputSize, row).map((value) => value / Math.sqrt(size)),
      row * inputSize,
    );
  return projection;
}

/** [size] of the item-th state. States that the map was not fitted on may be longer than L: the map stays linear. */
export function featureOf(map: FeatureMap, states: ArrayLike<number>, item = 0): Float64Array {
  const { mean, projection, inputSize, size, scale } = map;
  const first = item * inputSize;
  if (projection === undefined)
    return Float64Array.from(
      { length: size },
      (_, i) => scale * ((states[first + i] ?? Number.NaN) - (mean[i] ?? 0)),
    );
  const feature = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    let sum = 0;
    const start = row * inputSize;
    for (let i = 0; i < inputSize; i++)
      sum += (projection[start + i] ?? 0) * ((states[first + i] ?? Number.NaN) - (mean[i] ?? 0));
    feature[row] = scale * sum;
  }
  return feature;
}

/** [items x size] of all states. */
export function featuresOf(map: FeatureMap, states: ArrayLike<number>): Float64Array {
  const items = states.length / map.inputSize;
  const features = new Float64Array(items * map.size);
  for (let item = 0; item < items; item++) features.set(featureOf(map, states, item), item * map.size);
  return features;
}
