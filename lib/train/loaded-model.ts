// Refuses options that have no effect on a model that is already loaded. Must not import the engine's code.

import type { TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";

/** @throws ATTUNE_OPTION for `dtype`, `threads` or `device` beside a loaded model */
export function loadedModelOptions(
  command: string,
  model: string | TrainableModel,
  values: Readonly<Record<string, unknown>>,
): void {
  if (typeof model === "string") return;
  const owner = { dtype: "engine.loadModel", threads: "createEngine", device: "createEngine" } as const;
  for (const [name, place] of Object.entries(owner)) {
    if (values[name] === undefined) continue;
    throw fail(
      "ATTUNE_OPTION",
      `${command}: ${name} has no effect on a model that is already loaded. Give it to ${place}, or pass the model's path.`,
    );
  }
}
