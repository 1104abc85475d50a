// Of several processes on one PostgreSQL the one that sends: it gives a sign of life now and then, and where there was none
// for long another process begins. Clocks of two machines are never compared. Must not send anything.

import { randomUUID } from "node:crypto";
import type { SenderBeat } from "../operations/index.js";
import type { FeedbackStore } from "../store/store.js";

const BEAT_MS = 10_000;
const SILENT_MS = 30_000;

export class SenderTurn {
  /** Named by what is written; undefined where a lock keeps other processes out already. */
  readonly owner: string | undefined;
  private last: { readonly beat: SenderBeat; readonly time: number } | undefined;

  constructor(
    private readonly store: FeedbackStore,
    private readonly clock: () => number,
  ) {
    this.owner = store.kind === "embedded" ? undefined : randomUUID();
  }

  /** Whether this process may send now. */
  async isOurs(): Promise<boolean> {
    const { owner, last } = this;
    if (owner === undefined) return true;
    const now = this.clock();
    const known = last !== undefined && now >= last.time;
    if (known && last.beat.owner === owner && now - last.time < BEAT_MS) return true;
    const silent = known && last.beat.owner !== owner && now - last.time >= SILENT_MS;
    const input = { owner, ...(silent ? { silent: last.beat } : {}) };
    const beat = await this.store.write("", "holdSender", input);
    const same = last !== undefined && last.beat.owner === beat.owner && last.beat.beat === beat.beat;
    // The time of the sign is when it was seen first, unless the clock went back.
    if (!same || now < last.time) this.last = { beat, time: now };
    return beat.owner === owner;
  }

  /** Another process has begun: what was known is not so any more. */
  lost(): void {
    this.last = undefined;
  }

  async giveUp(): Promise<void> {
    const { owner, last } = this;
    if (owner === undefined || last?.beat.owner !== owner) return;
    this.last = undefined;
    await this.store.write("", "releaseSender", { owner });
  }
}
