// The frozen copy of a run's start that it is compared with, and what may be asked of where its weights are kept.
// Must not know an algorithm.

import type { FrozenModel, TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";

export interface FrozenStart {
  readonly model: TrainableModel;
  /** Whether the host is to keep its weights. */
  readonly offload: boolean;
  readonly warn: (message: string) => void;
}

/** Taken before later weights are put into the model. */
export async function frozenStart({ model, offload, warn }: FrozenStart): Promise<FrozenModel> {
  const copy = await model.snapshot({ weights: offload ? "host" : "device" });
  const shared = model.adapter !== undefined;
  if (offload) warnUnlessOffloaded(copy, "reference-offload", warn, shared);
  return copy;
}

/** Says what was asked for and had no effect. `shared`: the model is on the base that is trained. */
export function warnUnlessOffloaded(
  model: FrozenModel,
  option: string,
  warn: (message: string) => void,
  shared = false,
): void {
  if (model.memory().weightsHost > 0) return;
  const why = shared
    ? "the weights are those that the adapter is trained on"
    : "the CPU computes where the host keeps them";
  warn(`${option} has no effect here: ${why}.`);
}

/** Throws ATTUNE_OPTION for a model of the caller, whose weights are where they are. */
export function refuseOffloadOf(reference: unknown, offload: boolean): void {
  if (!offload || typeof reference !== "object") return;
  const text = "Expected no reference-offload beside a reference in memory: its weights are where they are.";
  throw fail("ATTUNE_OPTION", `${text} Load it with { weights: "host" }, or give its path.`, {
    details: { option: "reference-offload" },
  });
}
