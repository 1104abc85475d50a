// So many calls a minute for each token, in a bucket that fills by itself. Must not know HTTP.

import { fail } from "../errors/index.js";

export interface RateLimitOptions {
  /** Calls a minute, and at once. */
  readonly perMinute: number;
  readonly clock: () => number;
}

interface Bucket {
  left: number;
  time: number;
}

const MOST_BUCKETS = 100_000;

export class RateLimit {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly options: RateLimitOptions) {}

  /** @throws ATTUNE_RATE with the seconds to wait */
  take(name: string): void {
    const { perMinute, clock } = this.options;
    const now = clock();
    const bucket = this.buckets.get(name) ?? { left: perMinute, time: now };
    // A clock that jumps back takes nothing away.
    const filled = Math.max(0, now - bucket.time) * (perMinute / 60_000);
    bucket.left = Math.min(perMinute, bucket.left + filled);
    bucket.time = now;
    if (this.buckets.size >= MOST_BUCKETS) this.buckets.clear();
    this.buckets.set(name, bucket);
    if (bucket.left < 1) {
      const retryAfter = Math.ceil(((1 - bucket.left) * 60) / perMinute);
      throw fail("ATTUNE_RATE", `Expected at most ${perMinute} calls a minute. Wait ${retryAfter} seconds.`, {
        details: { retryAfter },
      });
    }
    bucket.left -= 1;
  }
}
