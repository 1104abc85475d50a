// Memory for the steps and disk for what a run writes, asked for before any work is done.
// Must not know an algorithm.

import { sizeOfRow, stepRows, stepsPerEpoch, type TokenisedRows } from "../data/index.js";
import type { TrainableModel } from "../engine/contract.js";
import { type MemoryNeed, requireMemory } from "../engine/index.js";
import { evaluationParts } from "./evaluation.js";
import { checkFreeSpace } from "./output-checks.js";
import type { SharedSettings } from "./settings.js";

export interface RoomRequest {
  readonly settings: SharedSettings;
  readonly model: TrainableModel;
  readonly data: TokenisedRows;
  readonly evaluation: TokenisedRows | undefined;
  readonly steps: number;
  /** Frozen copies of the weights that the run will hold. */
  readonly snapshots: number;
}

/** @throws ATTUNE_MEMORY, ATTUNE_OUTPUT */
export async function requireRoom(request: RoomRequest): Promise<void> {
  requireMemory(memoryNeed(request));
  const { settings, model, steps } = request;
  const { output, saveEvery, keepCheckpoints, earlyStop } = settings;
  const bytes = model.trainableParameters * (model.dtype === "bf16" && model.adapter === undefined ? 2 : 4);
  const saves = saveEvery === 0 ? 0 : Math.floor((steps - 1) / saveEvery);
  // A new checkpoint is complete before an old one goes.
  const checkpoints = keepCheckpoints === 0 ? saves : Math.min(saves, keepCheckpoints + 1);
  // Of the best step so far and of a better one.
  const held = checkpoints + (earlyStop === undefined ? 0 : 2);
  const what = held === 0 ? "the trained model" : `the trained model and ${held} states to go on from`;
  await checkFreeSpace({ folder: output, bytes: bytes + held * stateBytes(model), what });
}

/** A checkpoint's state: values and two moments, in fp32, with their names; and the record beside it. */
export function stateBytes(model: TrainableModel): number {
  return 12 * model.trainableParameters + 1024 * model.tensors().length + (1 << 16);
}

/** Bounds on the largest micro-batch of the first epoch, which stands for all: later ones only mix the rows anew. */
function memoryNeed({ settings, model, data, evaluation, snapshots }: RoomRequest): MemoryNeed {
  const order = { ...settings, rowCount: data.length };
  const perEpoch = stepsPerEpoch(order);
  let rows = 0;
  let targets = 0;
  const take = (bound: { readonly rows: number; readonly targets: number }) => {
    rows = Math.max(rows, bound.rows);
    targets = Math.max(targets, bound.targets);
  };
  for (const step of stepRows(order)) {
    if (step.step === perEpoch) break;
    take(largestBatch(step.rows, data, settings.microBatchTokens));
  }
  if (evaluation !== undefined)
    for (const part of evaluationParts(evaluation))
      take(largestBatch(part, evaluation, settings.microBatchTokens));
  // A frozen view of an adapter shares its base; what it copies is beside the activations nothing.
  return { model, rows, targets, snapshots: model.adapter === undefined ? snapshots : 0 };
}

/** A step in one micro-batch, or one that is full: a row of the trunk predicts one target, a prompt's last one several. */
function largestBatch(step: Int32Array, data: TokenisedRows, microBatchTokens: number) {
  let total = 0;
  let longest = 0;
  let targets = 0;
  let shared = 0;
  for (const index of step) {
    const size = sizeOfRow(data, index);
    if (size === undefined) continue;
    total += size.trunkRows;
    longest = Math.max(longest, size.trunkRows);
    targets += size.targets;
    // The last row of a prompt predicts the first token of every completion.
    shared += Math.max(0, size.targets - size.trunkRows);
  }
  const rows = Math.max(longest, Math.min(total, microBatchTokens));
  return { rows, targets: Math.min(targets, rows + shared) };
}
