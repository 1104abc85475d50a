// Derivatives of a loss along random directions of each tensor of a tiny model, by differences of whole models written
// and loaded again. Must not know the loss.

import type { Engine, Model } from "../../lib/engine/index.js";
import { normalNumbers, type TinyModel } from "./tiny-model.js";
import { type TestTensor, writeSafetensors } from "./write-safetensors.js";

export interface MeasureOptions {
  readonly engine: Engine;
  /** Its weights are overwritten, and put back at the end. */
  readonly tiny: TinyModel;
  /** Of a model that has just been loaded, in double. */
  readonly loss: (model: Model) => Promise<number>;
  /** Directions of each tensor. Default 8. */
  readonly directions?: number;
}

export interface MeasuredDirection {
  readonly tensor: string;
  readonly direction: Float64Array;
  readonly derivative: number;
}

/** Entries of a direction have this deviation, that of the weights; steps are a small part of it. */
const DEVIATION = 0.1;
const STEP = 0.02;
/** f'(0) = sum of factor * f(place * step) / step, exact for polynomials of degree 4. */
const STENCIL = [
  [-2, 1 / 12],
  [-1, -2 / 3],
  [1, 2 / 3],
  [2, -1 / 12],
] as const;

export async function measureDirections({ loss, ...options }: MeasureOptions): Promise<MeasuredDirection[]> {
  const [measured = []] = await measureLosses({ ...options, losses: async (model) => [await loss(model)] });
  return measured;
}

export interface MeasureLossesOptions extends Omit<MeasureOptions, "loss"> {
  /** The same number of losses every time. */
  readonly losses: (model: Model) => Promise<readonly number[]>;
}

/** Of several losses along the same directions, so that each model is written and loaded once. */
export async function measureLosses(options: MeasureLossesOptions): Promise<MeasuredDirection[][]> {
  const { tiny, directions = 8 } = options;
  const next = normalNumbers(77);
  const measured: MeasuredDirection[][] = [];
  for (const [tensor, weights] of tiny.tensors) {
    for (let i = 0; i < directions; i++) {
      const direction = Float64Array.from(weights.values, () => DEVIATION * next());
      const derivatives: number[] = [];
      for (const [place, factor] of STENCIL) {
        const there = moved(weights, direction, place * STEP);
        for (const [loss, value] of (await lossesAt(options, tensor, there)).entries())
          derivatives[loss] = (derivatives[loss] ?? 0) + (factor * value) / STEP;
      }
      for (const [loss, derivative] of derivatives.entries()) {
        measured[loss] ??= [];
        measured[loss]?.push({ tensor, direction, derivative });
      }
    }
  }
  writeSafetensors(tiny.weights, tiny.tensors);
  return measured;
}

/** By tensor: distance of the gradient's derivatives along its directions from the measured ones, over their norm. */
export function directionErrors(
  measured: readonly MeasuredDirection[],
  gradients: ReadonlyMap<string, ArrayLike<number>>,
): Map<string, number> {
  const sums = new Map<string, { distance: number; norm: number }>();
  for (const { tensor, direction, derivative } of measured) {
    const gradient = gradients.get(tensor);
    const expected = direction.reduce((sum, d, i) => sum + d * (gradient?.[i] ?? Number.NaN), 0);
    const own = sums.get(tensor) ?? { distance: 0, norm: 0 };
    own.distance += (expected - derivative) ** 2;
    own.norm += derivative ** 2;
    sums.set(tensor, own);
  }
  return new Map([...sums].map(([tensor, { distance, norm }]) => [tensor, Math.sqrt(distance / norm)]));
}

function moved({ shape, values }: TestTensor, direction: Float64Array, step: number): TestTensor {
  return { shape, values: values.map((value, i) => value + step * (direction[i] ?? 0)) };
}

async function lossesAt(
  { engine, tiny, losses }: MeasureLossesOptions,
  tensor: string,
  weights: TestTensor,
): Promise<readonly number[]> {
  writeSafetensors(tiny.weights, new Map([...tiny.tensors, [tensor, weights]]));
  await using model = await engine.loadModel(tiny.folder);
  return await losses(model);
}
