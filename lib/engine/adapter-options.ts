// Options of a new adapter and of a scalar head, checked, -> the role that native code makes.
// Must not read files: an adapter from a folder is peft-folder.ts.

import { fail } from "../errors/index.js";
import { layerNames, resolveTargets } from "./adapter-targets.js";
import type { NativeDescription, NativeRole } from "./addon-types.js";
import type { AdapterInfo, AdapterOptions, ScoreHeadOptions } from "./contract.js";
import { expectKeys, expectOneOf } from "./options.js";

const DEFAULT_RANK = 16;
export const MOST_RANK = 4096;
/** Its scale must fit fp32. */
export const MOST_ALPHA = 1e30;

type ScoreRole = Pick<NativeRole, "scoreHead" | "normalScore" | "scoreSeed">;

/** Throws ATTUNE_OPTION. */
export function scoreRole(head: ScoreHeadOptions | undefined): ScoreRole {
  if (head === undefined) return { scoreHead: false, normalScore: false, scoreSeed: 0 };
  expectKeys("scoreHead", head, ["init", "seed"]);
  const init = expectOneOf("scoreHead.init", head.init ?? "normal", ["normal", "zero"]);
  return {
    scoreHead: true,
    normalScore: init === "normal",
    scoreSeed: expectSeed("scoreHead.seed", head.seed),
  };
}

/** Throws ATTUNE_OPTION. */
export function freshRole(
  adapter: AdapterOptions,
  head: ScoreHeadOptions | undefined,
  { linearLayers }: Pick<NativeDescription, "linearLayers">,
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
  return { rank, alpha, rsLora: adapter.rsLora ?? false, modules, seed, file: "", ...scoreRole(head) };
}

function expectSeed(name: string, seed = 0): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw fail("ATTUNE_OPTION", `Expected ${name} to be an integer from 0 to 2^53 - 1 but received ${seed}.`);
}

/** What a model says of its adapter. */
export function adapterInfo({ adapter }: Pick<NativeDescription, "adapter">): AdapterInfo | undefined {
  if (adapter === undefined) return undefined;
  const { rank, alpha, rsLora, modules, scoreHead } = adapter;
  return { rank, alpha, rsLora, targets: layerNames(modules), scoreHead };
}
