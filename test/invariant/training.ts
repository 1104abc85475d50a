// A few real optimiser steps over batches, and what they leave: the parameters or the gradients by name.
// Must not compare anything.

import { type PackableRow, type PackedBatch, packRows } from "../../lib/data/index.js";
import type { LossSpec, TrainableModel } from "../../lib/engine/contract.js";
import type { NamedTensors } from "./same-bits.js";

export type LossKind = "nll" | "dpo";

/** All rows in one batch, or those numbered. */
export function packed(data: readonly PackableRow[], rows?: readonly number[]): PackedBatch {
  return packRows({ data, rows: rows ?? data.map((_, row) => row) });
}

/** Targets of all rows, for nll; pairs, for dpo. */
export function normaliserOf(kind: LossKind, data: readonly PackableRow[]): number {
  if (kind === "dpo") return data.length;
  return data.reduce((sum, { completions }) => sum + completions.reduce((n, ids) => n + ids.length, 0), 0);
}

/** A loss for a batch; dpo against made-up reference log-probs that depend on the row only. */
export function lossFor(kind: LossKind, batch: PackedBatch, normaliser: number): LossSpec {
  if (kind === "nll") return { kind, normaliser };
  const reference = Float64Array.from(batch.rows).map((row) => -40 - row);
  const both = Float64Array.from(
    { length: 2 * batch.rows.length },
    (_, i) => (reference[i >> 1] ?? 0) - (i % 2),
  );
  const terms = [{ name: "sigmoid", weight: 1 }] as const;
  return { kind: "pairwise", terms, normaliser, beta: 0.1, labelSmoothing: 0.1, reference: both };
}

export interface TrainOptions {
  readonly model: TrainableModel;
  readonly data: readonly PackableRow[];
  readonly kind: LossKind;
  readonly steps?: number;
  readonly learningRate?: number;
}

/** Takes optimiser steps on all rows at once and returns the parameters. */
export async function trainedParameters(options: TrainOptions): Promise<NamedTensors> {
  const { model, data, kind, steps = 3, learningRate = 1e-3 } = options;
  const batch = packed(data);
  for (let step = 0; step < steps; step++) {
    await model.step(batch, lossFor(kind, batch, normaliserOf(kind, data)));
    await model.update({ learningRate, weightDecay: 0.01 });
  }
  return tensorsOf(model, (name) => model.parameter(name));
}

/** Gradients of the given batches together, over cleared ones. */
export async function gradientsOf(
  model: TrainableModel,
  batches: readonly PackedBatch[],
  loss: (batch: PackedBatch) => LossSpec,
): Promise<NamedTensors> {
  await model.clearGradients();
  for (const batch of batches) await model.step(batch, loss(batch));
  return tensorsOf(model, (name) => model.gradient(name));
}

async function tensorsOf(
  model: TrainableModel,
  read: (name: string) => Promise<Float32Array>,
): Promise<NamedTensors> {
  const values = new Map<string, Float32Array>();
  for (const { name } of model.tensors()) values.set(name, await read(name));
  return values;
}
