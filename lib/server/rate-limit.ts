// So many calls a minute for each name, in a bucket that fills by itself. Must not know HTTP.

import { fail } from "../errors/index.js";

export interface RateLimitOptions {
  /** Calls a minute, and at once. */
  readonly perMinute: number;
  readonly clock: () => number;
  /** Names that are remembered at most. Default 100,000. */
  readonly most?: number;
}

interface Bucket {
  left: number;
  time: number;
}

export class RateLimit {
  /** In the order of their last calls. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly options: RateLimitOptions) {}

  /** Names that are remembered. */
  get size(): number {
    return this.buckets.size;
  }

  /** @throws ATTUNE_RATE with the seconds to wait */
  take(name: string): void {
    const { perMinute, clock } = this.options;
    const now = clock();
    const known = this.buckets.get(name);
    const left = known === undefined ? perMinute : this.filled(known, now);
    this.keep(name, { left: left < 1 ? left : left - 1, time: now }, now);
    if (left >= 1) return;
    const retryAfter = Math.ceil(((1 - left) * 60) / perMinute);
    throw fail("ATTUNE_RATE", `Expected at most ${perMinute} calls a minute. Wait ${retryAfter} seconds.`, {
      details: { retryAfter },
    });
  }

  /** What was taken does not count after all. */
  giveBack(name: string): void {
    const bucket = this.buckets.get(name);
    if (bucket !== undefined) bucket.left = Math.min(this.options.perMinute, bucket.left + 1);
  }

  /** A clock that jumps back takes nothing away. */
  private filled({ left, time }: Bucket, now: number): number {
    const { perMinute } = this.options;
    return Math.min(perMinute, left + Math.max(0, now - time) * (perMinute / 60_000));
  }

  /**
   * A full bucket says nothing: it is forgotten first. Where all are in use the one that was used longest ago goes, and nobody
   * else begins anew.
   */
  private keep(name: string, bucket: Bucket, now: number): void {
    const { perMinute, most = 100_000 } = this.options;
    this.buckets.delete(name);
    for (const [oldest, one] of this.buckets) {
      if (this.buckets.size < most && this.filled(one, now) < perMinute) break;
      this.buckets.delete(oldest);
    }
    this.buckets.set(name, bucket);
  }
}
