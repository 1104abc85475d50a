// What asks for a reference in a run that does without one. Must not open models.

import { fail } from "../../errors/index.js";
import type { OnlineSettings } from "./online-settings.js";

export interface ReferenceNeeds {
  readonly settings: Pick<OnlineSettings, "reference" | "stopOn">;
  /** Whether training compares with a reference. */
  readonly compares: boolean;
  /** Whether there are evaluation prompts, whose answers are compared with it in any case. */
  readonly evaluates: boolean;
}

/** Throws ATTUNE_OPTION where something would wait for a KL that nothing measures. */
export function checkReference({ settings, compares, evaluates }: ReferenceNeeds): void {
  if (compares || evaluates) return;
  const option =
    settings.reference !== undefined
      ? "reference"
      : settings.stopOn?.includes("kl-budget") === true
        ? "stop-on"
        : undefined;
  if (option === undefined) return;
  const found = option === "reference" ? "no reference" : "no kl-budget in stop-on";
  const text = `Expected ${found} here: neither the loss nor an evaluation compares with a reference.`;
  throw fail("ATTUNE_OPTION", `${text} Give eval-data, or a loss or beta that compares.`, {
    details: { option },
  });
}
