// Options of a new adapter, checked, -> the role that native code makes.
// Must not read files: an adapter from a folder is peft-folder.ts.

import { fail } from "../errors/index.js";
import { layerNames, resolveTargets } from "./adapter-targets.js";
import type { NativeDescription, NativeRole } from "./addon-types.js";
import type { AdapterInfo, AdapterOptions, ScoreHeadOptions } from "./contract.js";
import { expectKeys, expectOneOf, expectSeed } from "./options.js";
import { expectNoHead, scoreHeadOptions } from "./score-head.js";

const DEFAULT_RANK = 16;
export const MOST_RANK = 4096;
/** Its scale must fit fp32. */
export const MOST_ALPHA = 1e30;

/** Throws ATTUNE_OPTION. */
export function freshRole(
  adapter: AdapterOptions,
  head: ScoreHeadOptions | undefined,
  { linearLayers, scoreHeads }: Pick<NativeDescription, "linearLayers" | "scoreHeads">,
): NativeRole {
  expectKeys("adapter", adapter, ["rank", "alpha", "rsLora", "targets", "seed"]);
  const rank = adapter.rank ?? DEFAULT_RANK;
  if (!Number.isInteger(rank) || rank < 1 || rank > MOST_RANK)
    throw fail(
      "ATTUNE_OPTION",
      `Expected adapter.rank from 1 to ${MOST_RANK} but received ${rank}. Typical: 8 to 64.`,
    );
  const alpha = adapter.alpha ?? 2 * rank;
  if (!(alpha > 0 && alpha <= MOST_ALPHA))
    throw fail(
      "ATTUNE_OPTION",
      `Expected adapter.alpha above 0 and up to ${MOST_ALPHA} but received ${alpha}. Typical: once or twice the rank.`,
    );
  const targets = adapter.targets ?? "all-linear";
  if (typeof targets === "string") expectOneOf("adapter.targets", targets, ["all-linear"]);
  const modules = resolveTargets({ targets, linearLayers, what: "adapter.targets", code: "ATTUNE_OPTION" });
  const seed = expectSeed("adapter.seed", adapter.seed);
  const rsLora = adapter.rsLora ?? false;
  return { rank, alpha, rsLora, modules, seed, file: "", ...headsOfRole(head, scoreHeads) };
}

/** A head beside an adapter is always trained: where the model scores already, the adapter gets a copy. */
function headsOfRole(
  head: ScoreHeadOptions | undefined,
  scoreHeads: number,
): Pick<NativeRole, "scoreHeads" | "score"> {
  if (head !== undefined) {
    expectNoHead(scoreHeads);
    const { heads, draw } = scoreHeadOptions(head);
    return { scoreHeads: heads, score: draw };
  }
  return scoreHeads > 0 ? { scoreHeads, score: "copy" } : { scoreHeads };
}

/** What a model says of its adapter. */
export function adapterInfo({ adapter }: Pick<NativeDescription, "adapter">): AdapterInfo | undefined {
  if (adapter === undefined) return undefined;
  const { rank, alpha, rsLora, modules, scoreHeads } = adapter;
  return { rank, alpha, rsLora, targets: layerNames(modules), scoreHead: scoreHeads > 0 };
}
