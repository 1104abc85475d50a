// Who may call: tokens with a role. A token is a public id and 32 random bytes, of which scrypt's hash is kept; who has
// shown one is remembered for five minutes. Must not know HTTP.

import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { fail } from "../errors/index.js";
import type { FeedbackStore } from "./store/store.js";
import type { TokensTable } from "./store/tables.js";

export const roles = ["owner", "annotator", "trainer", "reader"] as const;
export type Role = (typeof roles)[number];

/** Whom a token stands for. */
export interface Caller {
  readonly token: string;
  readonly role: Role;
  /** Undefined: every project. */
  readonly project: string | undefined;
  readonly annotator: string | undefined;
}

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
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 };
const REMEMBERED_MS = 5 * 60_000;
const MOST_REMEMBERED = 10_000;

function hashOf(secret: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(secret, Buffer.from(salt, "hex"), 32, SCRYPT, (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    ),
  );
}

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
  const hash = await hashOf(secret, salt);
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

/** Finds callers by their tokens. */
export class TokenCheck {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    private readonly store: FeedbackStore,
    private readonly clock: () => number,
  ) {}

  /** Undefined for what is no token of the store, or one that is over. */
  async callerOf(text: string): Promise<Caller | undefined> {
    const [prefix, id = "", ...rest] = text.split("_");
    const secret = rest.join("_");
    if (prefix !== PREFIX || !/^[0-9a-f]{16}$/.test(id) || secret.length !== 43) return undefined;
    const row = await this.store.reading
      .selectFrom("tokens")
      .selectAll()
      .where("token", "=", id)
      .executeTakeFirst();
    const now = this.clock();
    if (row === undefined || row.revoked !== null || (row.expires !== null && Number(row.expires) <= now))
      return undefined;
    if (!(await this.isRight(row, secret, now))) return undefined;
    return {
      token: id,
      role: row.role,
      project: row.project ?? undefined,
      annotator: row.annotator ?? undefined,
    };
  }

  private async isRight({ token, salt, hash }: TokensTable, secret: string, now: number): Promise<boolean> {
    const digest = createHash("sha256").update(secret).digest();
    const known = this.remembered.get(token);
    if (known !== undefined && known.until > now) return timingSafeEqual(known.digest, digest);
    const right = timingSafeEqual(await hashOf(secret, salt), Buffer.from(hash, "hex"));
    if (right) {
      if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
      this.remembered.set(token, { digest, until: now + REMEMBERED_MS });
    }
    return right;
  }
}
