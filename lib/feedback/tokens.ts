// Who may call: tokens with a role. A token is a public id and 32 random bytes, of which scrypt's hash is kept; who has
// shown one is remembered for five minutes. Must not know HTTP.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { fail } from "../errors/index.js";
import { ScryptTurns, scryptHash } from "./scrypt-turns.js";
import type { FeedbackStore } from "./store/store.js";
import type { TokensTable } from "./store/tables.js";

/** All roles. */
export const roles = ["owner", "annotator", "trainer", "reader"] as const;
/** What a token may do. */
export type Role = (typeof roles)[number];

/** Whom a token stands for. */
export interface Caller {
  readonly token: string;
  readonly role: Role;
  /** Undefined: every project. */
  readonly project: string | undefined;
  readonly annotator: string | undefined;
}

/** A token to be made. */
export interface NewToken {
  readonly role: Role;
  readonly project?: string;
  /** Whom an annotator's token belongs to. */
  readonly annotator?: string;
  /** For lists of tokens. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expires?: number;
}

const PREFIX = "attune";
const REMEMBERED_MS = 5 * 60_000;
const MOST_REMEMBERED = 10_000;

/** The row to keep and the text to hand out, which is shown once. */
export async function makeToken(
  { role, project, annotator, name, expires }: NewToken,
  now: number,
): Promise<{ readonly text: string; readonly row: TokensTable }> {
  if (role === "annotator" && (annotator === undefined || project === undefined))
    throw fail("ATTUNE_OPTION", "Expected an annotator and a project for an annotator's token.");
  const id = randomBytes(8).toString("hex");
  const secret = randomBytes(32).toString("base64url");
  const salt = randomBytes(16).toString("hex");
  const hash = await scryptHash(secret, salt);
  const row: TokensTable = {
    token: id,
    project: project ?? null,
    role,
    annotator: annotator ?? null,
    name,
    salt,
    hash: hash.toString("hex"),
    created: now,
    expires: expires ?? null,
    revoked: null,
  };
  return { text: `${PREFIX}_${id}_${secret}`, row };
}

interface Remembered {
  readonly digest: Buffer;
  readonly until: number;
}

/** Counts attempts by name, and throws ATTUNE_RATE for too many. */
export interface Attempts {
  take(name: string): void;
  giveBack(name: string): void;
}

export interface TokenCheckOptions {
  readonly store: FeedbackStore;
  readonly clock: () => number;
  /** Of secrets that were wrong: each costs as much as one that is right. */
  readonly attempts?: Attempts;
}

/** Finds callers by their tokens. */
export class TokenCheck {
  private readonly remembered = new Map<string, Remembered>();
  /** Calls that come with the same token meanwhile wait for the one answer. */
  private readonly looking = new Map<string, Promise<boolean>>();
  private readonly turns = new ScryptTurns();

  constructor(private readonly options: TokenCheckOptions) {}

  /**
   * Undefined for what is no token of the store, or one that is over. `from` is where it was sent from: whoever guesses there
   * keeps nobody out elsewhere. @throws ATTUNE_RATE for too many wrong secrets of one token
   */
  async callerOf(text: string, from = ""): Promise<Caller | undefined> {
    const [prefix, id = "", ...rest] = text.split("_");
    const secret = rest.join("_");
    if (prefix !== PREFIX || !/^[0-9a-f]{16}$/.test(id) || secret.length !== 43) return undefined;
    const row = await this.options.store.reading
      .selectFrom("tokens")
      .selectAll()
      .where("token", "=", id)
      .executeTakeFirst();
    const now = this.options.clock();
    if (row === undefined || row.revoked !== null || (row.expires !== null && Number(row.expires) <= now))
      return undefined;
    if (!(await this.isRight(row, { secret, now, from }))) return undefined;
    return {
      token: id,
      role: row.role,
      project: row.project ?? undefined,
      annotator: row.annotator ?? undefined,
    };
  }

  private async isRight(row: TokensTable, { secret, now, from }: Attempt): Promise<boolean> {
    const digest = createHash("sha256").update(secret).digest();
    const known = this.remembered.get(row.token);
    // One that is remembered for longer than that comes of a clock that was set back.
    if (known !== undefined && known.until > now && known.until - now <= REMEMBERED_MS)
      return timingSafeEqual(known.digest, digest);
    const name = `${row.token} ${digest.toString("hex")}`;
    const looking = this.looking.get(name) ?? this.look(row, secret, `${from} ${row.token}`);
    this.looking.set(name, looking);
    try {
      if (!(await looking)) return false;
    } finally {
      this.looking.delete(name);
    }
    this.remember(row.token, { digest, until: now + REMEMBERED_MS });
    return true;
  }

  private async look({ salt, hash }: TokensTable, secret: string, name: string): Promise<boolean> {
    const { attempts } = this.options;
    // Taken before, as many may come at the same moment.
    attempts?.take(name);
    const right = timingSafeEqual(await this.turns.hash(secret, salt), Buffer.from(hash, "hex"));
    if (right) attempts?.giveBack(name);
    return right;
  }

  /** The one that was remembered first goes for another. */
  private remember(token: string, remembered: Remembered): void {
    this.remembered.delete(token);
    const [oldest] = this.remembered.keys();
    if (this.remembered.size >= MOST_REMEMBERED && oldest !== undefined) this.remembered.delete(oldest);
    this.remembered.set(token, remembered);
  }
}

interface Attempt {
  readonly secret: string;
  readonly now: number;
  readonly from: string;
}
