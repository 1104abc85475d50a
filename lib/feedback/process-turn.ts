// Of several processes on one PostgreSQL the one that does a work, such as sending webhooks or training a project's policy: it
// gives a sign of life now and then, and where there was none for long another process begins. Clocks of two machines are
// never compared. Must not do the work.

import { randomUUID } from "node:crypto";
import type { Turn } from "./operations/index.js";
import type { FeedbackStore } from "./store/store.js";

export const BEAT_MS = 10_000;
export const SILENT_MS = 30_000;

export interface ProcessTurnOptions {
  readonly store: FeedbackStore;
  /** The work's. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

export class ProcessTurn {
  /** Named by what is written; undefined where a lock keeps other processes out already. */
  readonly owner: string | undefined;
  private last: { readonly turn: Turn; readonly time: number } | undefined;

  constructor(private readonly own: ProcessTurnOptions) {
    this.owner = own.store.kind === "embedded" ? undefined : randomUUID();
  }

  /** Whether this process may do it now. Asked in time it is a sign of life as well. */
  async isOurs(): Promise<boolean> {
    const { owner, last } = this;
    if (owner === undefined) return true;
    const { store, name, clock } = this.own;
    const now = clock();
    const known = last !== undefined && now >= last.time;
    if (known && last.turn.owner === owner && now - last.time < BEAT_MS) return true;
    const silent = known && last.turn.owner !== owner && now - last.time >= SILENT_MS;
    const turn = await store.write("", "holdTurn", { name, owner, ...(silent ? { silent: last.turn } : {}) });
    const same = last !== undefined && last.turn.owner === turn.owner && last.turn.beat === turn.beat;
    // The time of the sign is when it was seen first, unless the clock went back.
    if (!same || now < last.time) this.last = { turn, time: now };
    return turn.owner === owner;
  }

  /** Another process has begun: that it was ours is not so any more. */
  lost(): void {
    if (this.last?.turn.owner === this.owner) this.last = undefined;
  }

  /** Another process may begin at once. */
  async giveUp(): Promise<void> {
    const { owner, last } = this;
    if (owner === undefined || last?.turn.owner !== owner) return;
    this.last = undefined;
    await this.own.store.write("", "releaseTurn", { name: this.own.name, owner });
  }
}
