// Memory for the steps and disk for what a run writes, asked for before any work is done.
// Must not know an algorithm.

import type { TrainableModel } from "../engine/contract.js";
import { requireMemory } from "../engine/index.js";
import type { Material } from "./material.js";
import { checkFreeSpace } from "./output-checks.js";
import type { SharedSettings } from "./settings.js";

export interface RoomRequest {
  readonly settings: SharedSettings;
  readonly model: TrainableModel;
  readonly material: Pick<Material<unknown>, "largest" | "further" | "stateBytes">;
  readonly steps: number;
  /** Frozen copies of the weights that the run will hold. */
  readonly snapshots: number;
  /** Whether the host keeps their layers. */
  readonly offload: boolean;
}

/** Takes the memory where it is a GPU's. @throws ATTUNE_MEMORY, ATTUNE_OUTPUT */
export async function requireRoom(request: RoomRequest): Promise<void> {
  const { settings, model, material, steps, snapshots, offload } = request;
  const { largest, further = [], stateBytes: beside = 0 } = material;
  // A frozen view of an adapter shares its base; what it copies is beside the activations nothing.
  const copies = model.adapter === undefined ? snapshots : 0;
  const snapshotWeights = offload ? "host" : "device";
  const needed = requireMemory({ model, ...largest, snapshots: copies, snapshotWeights, further });
  await model.reserve?.({ bytes: needed, ...largest, training: true });
  const { output, saveEvery, keepCheckpoints, earlyStop } = settings;
  const bytes = model.trainableParameters * (model.dtype === "bf16" && model.adapter === undefined ? 2 : 4);
  const saves = saveEvery === 0 ? 0 : Math.floor((steps - 1) / saveEvery);
  // A new checkpoint is complete before an old one goes.
  const checkpoints = keepCheckpoints === 0 ? saves : Math.min(saves, keepCheckpoints + 1);
  // Of the best step so far and of a better one.
  const held = checkpoints + (earlyStop === undefined ? 0 : 2);
  const what = held === 0 ? "the trained model" : `the trained model and ${held} states to go on from`;
  await checkFreeSpace({ folder: output, bytes: bytes + held * (stateBytes(model) + beside), what });
}

/** A checkpoint's state: values and two moments, in fp32, with their names; and the record beside it. */
export function stateBytes(model: TrainableModel): number {
  return 12 * model.trainableParameters + 1024 * model.tensors().length + (1 << 16);
}
