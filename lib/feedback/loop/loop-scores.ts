// Scores of items by what predicts now, each computed once for a version. Must not choose or predict.

import { fail } from "../../errors/index.js";
import type { LinearBound } from "../../preference/index.js";
import type { ItemScores } from "../selection/index.js";
import { type LoopMemory, policyOf, versionOf } from "./loop-memory.js";
import type { AskedPair, LoopWork } from "./loop-work.js";

export class LoopScores {
  private version = "";
  private readonly known = new Map<string, ItemScores>();
  private lastBound: LinearBound | undefined;

  constructor(
    private readonly work: LoopWork["score"],
    private readonly signal: AbortSignal,
  ) {}

  /** Of the items that were scored last. */
  get bound(): LinearBound | undefined {
    return this.lastBound;
  }

  /** By item; undefined: nothing can score yet. */
  async of(
    memory: LoopMemory,
    items: readonly AskedPair[],
  ): Promise<ReadonlyMap<string, ItemScores> | undefined> {
    const version = versionOf(memory);
    if (version !== this.version) this.known.clear();
    this.version = version;
    const missing = items.filter(({ item }) => !this.known.has(item));
    if (missing.length > 0) {
      const scored = await this.work({
        items: missing,
        policy: policyOf(memory, memory.serving),
        scorer: memory.scorer ?? undefined,
        signal: this.signal,
      });
      if (scored === undefined) return undefined;
      this.lastBound = scored.bound;
      for (const [place, one] of missing.entries())
        this.known.set(one.item, checked(one, scored.items[place]));
    }
    return this.known;
  }

  /** Lets go of all others. */
  keep(items: readonly AskedPair[]): void {
    const open = new Set(items.map(({ item }) => item));
    for (const item of this.known.keys()) if (!open.has(item)) this.known.delete(item);
  }
}

/** @throws ATTUNE_REWARD for scores that are missing or not finite */
function checked({ item, answers }: AskedPair, scores: ItemScores | undefined): ItemScores {
  const heads = scores?.heads ?? [];
  const count = heads[0]?.length ?? 0;
  const whole =
    heads.length === answers.length &&
    count > 0 &&
    heads.every((one) => one.length === count && one.every((score) => Number.isFinite(score)));
  if (scores !== undefined && whole) return scores;
  const text = `Expected finite scores of all ${answers.length} answers of ${item} by each head.`;
  throw fail("ATTUNE_REWARD", text);
}
