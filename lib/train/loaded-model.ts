// Refuses options that have no effect on a model that is already loaded. Must not import the engine's code.

import type { TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";

const owners = {
  dtype: "engine.loadModel",
  adapter: "engine.loadModel",
  adapterRank: "engine.loadModel",
  adapterAlpha: "engine.loadModel",
  adapterTargets: "engine.loadModel",
  rsLora: "engine.loadModel",
  headInit: "engine.loadModel",
  heads: "engine.loadModel",
  threads: "createEngine",
  device: "createEngine",
} as const;

/** @throws ATTUNE_OPTION for what belongs to the engine, beside a loaded model */
export function loadedModelOptions(
  command: string,
  model: string | TrainableModel,
  values: Readonly<Record<string, unknown>>,
): void {
  if (typeof model === "string") return;
  for (const [name, place] of Object.entries(owners)) {
    if (values[name] === undefined) continue;
    throw fail(
      "ATTUNE_OPTION",
      `${command}: ${name} has no effect on a model that is already loaded. Give it to ${place}, or pass the model's path.`,
    );
  }
}
