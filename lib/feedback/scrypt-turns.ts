// Scrypt costs a tenth of a second of a core and 32 MiB: few run at the same time, and those who come when too many wait are
// told to come again. Must not know tokens.

import { scrypt } from "node:crypto";
import { fail } from "../errors/index.js";

const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 };
/** Of the four threads that files and names are waited for on, too. */
const AT_ONCE = 2;
const MOST_WAITING = 200;

export function scryptHash(secret: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(secret, Buffer.from(salt, "hex"), 32, SCRYPT, (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    ),
  );
}

export class ScryptTurns {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** @throws ATTUNE_RATE when too many wait */
  async hash(secret: string, salt: string): Promise<Buffer> {
    if (this.running < AT_ONCE) this.running += 1;
    else await this.turn();
    try {
      return await scryptHash(secret, salt);
    } finally {
      // Whoever waits takes the turn over.
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length < MOST_WAITING) return new Promise((resolve) => this.waiting.push(resolve));
    const text = "Expected fewer tokens to be looked at at the same time. Come again in 5 seconds.";
    throw fail("ATTUNE_RATE", text, { details: { retryAfter: 5 } });
  }
}
