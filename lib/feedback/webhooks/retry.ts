// When a delivery that failed is tried again, and when it is given up. Pure.

const SECOND = 1000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A clock that jumps a day ahead does not make a day of one attempt: this many take over an hour. */
const LEAST_ATTEMPTS = 12;

/** 1 s, 2 s, 4 s … 1 h, each up to a quarter more or less, never outside: not all come at the same moment. */
export function retryDelay(attempts: number, random: () => number): number {
  const plain = Math.min(HOUR, SECOND * 2 ** Math.min(attempts - 1, 30));
  return Math.round(Math.min(HOUR, Math.max(SECOND, plain * (0.75 + 0.5 * random()))));
}

/** A moment further ahead than any delay comes of a clock that was set back. */
export function isDue(due: number, now: number): boolean {
  return due <= now || due - now > 2 * HOUR;
}

export interface Failing {
  readonly attempts: number;
  /** The first failure since the last success. */
  readonly since: number;
  readonly now: number;
}

/** The youngest event that is given up, by its time; undefined: none yet. */
export function giveUpUntil({ attempts, since, now }: Failing): number | undefined {
  return attempts >= LEAST_ATTEMPTS && now - since >= DAY ? now - DAY : undefined;
}
