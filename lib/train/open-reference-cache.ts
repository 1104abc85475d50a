// Opens the file of a run's reference log-probs under a key of the reference's weights. Must not know an algorithm.

import { join } from "node:path";
import type { FrozenModel } from "../engine/contract.js";
import { referenceKey } from "./fingerprint.js";
import { ReferenceCache } from "./reference-cache.js";
import type { Workplace } from "./workplace.js";

/**
 * In the run's folder, or a shared one; undefined when switched off, or where the reference cannot be told from others. A new
 * adapter's reference is that of its base.
 * @throws ATTUNE_OUTPUT
 */
export function openReferenceCache(
  place: Pick<Workplace, "reference" | "startHash" | "folder">,
  cache: string | undefined,
  reference: FrozenModel,
): ReferenceCache | undefined {
  const hash = place.reference === undefined ? place.startHash : place.reference.hash;
  if (cache === "off" || hash === undefined) return undefined;
  const folder = cache ?? join(place.folder.folder, "reference");
  return ReferenceCache.open({ folder, key: referenceKey(hash, reference) });
}
