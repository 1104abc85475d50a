// What a loop tells of itself while it works: its status now, and events. Must not do any of the work.

import type { LoopMemory } from "./loop-memory.js";
import { policyOf, versionOf } from "./loop-memory.js";
import type { GoldContest, LoopError, LoopEvent, LoopStage, LoopStatus } from "./loop-status.js";
import { type PredictionSums, prequentialOf } from "./prequential.js";

export class LoopBoard {
  /** Undefined before the store was read. */
  memory: LoopMemory | undefined;
  contest: GoldContest | null = null;
  counts: Pick<LoopStatus, "waiting" | "open" | "openOfNewest"> = { waiting: 0, open: 0, openOfNewest: 0 };
  private sums = new Map<string, PredictionSums>();
  private doing: LoopStatus["doing"] = "opening";
  private lastError: LoopError | null = null;

  constructor(
    private readonly trainAfter: number,
    private readonly onEvent: (event: LoopEvent) => void,
  ) {}

  tell(event: LoopEvent): void {
    this.onEvent(event);
  }

  now(doing: LoopStatus["doing"]): void {
    if (doing === this.doing) return;
    this.doing = doing;
    this.tell({ type: "doing", doing });
  }

  failed(error: LoopError): void {
    this.lastError = error;
    this.tell({ type: "error", error });
  }

  /** What went wrong there is over. */
  went(stage: LoopStage): void {
    if (this.lastError?.stage === stage) this.lastError = null;
  }

  predicted(sums: readonly PredictionSums[], { all }: { readonly all: boolean }): void {
    if (all) this.sums = new Map();
    for (const one of sums) this.sums.set(one.version, one);
  }

  status(): LoopStatus {
    const { memory } = this;
    const lag = memory?.lag;
    const sums = [...this.sums.values()].sort((a, b) => a.first - b.first);
    return {
      doing: this.doing,
      policy: memory === undefined ? null : policyOf(memory, memory.serving),
      rounds: memory?.rounds.length ?? 0,
      ...this.counts,
      trainAfter: this.trainAfter,
      lag: {
        mean: lag === undefined || lag.votes === 0 ? null : lag.sum / lag.votes,
        most: lag === undefined || lag.votes === 0 ? null : lag.most,
        stale: lag?.stale ?? 0,
      },
      prequential: prequentialOf(sums, memory === undefined ? undefined : versionOf(memory)),
      history: memory?.rounds ?? [],
      contest: this.contest,
      best: memory?.best ?? null,
      stopped: memory?.stopped ?? null,
      lastError: this.lastError,
    };
  }
}
