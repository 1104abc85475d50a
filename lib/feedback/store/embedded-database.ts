// Opens the embedded database's file: libsql (SQLite) in WAL mode, every commit on the disk before it is answered.
// Must not know tables.

import { createRequire } from "node:module";
import { Kysely, type SqliteDatabase, SqliteDialect } from "kysely";
import type Libsql from "libsql";
import { AttuneError, fail, reasonOf } from "../../errors/index.js";
import type { FeedbackTables } from "./tables.js";

export interface OpenEmbedded {
  readonly file: string;
  readonly readonly?: boolean;
}

/** That one connection waits for another. */
export const BUSY_MS = 5_000;

export function openEmbeddedDatabase({ file, readonly = false }: OpenEmbedded): Kysely<FeedbackTables> {
  try {
    const database = new (loadLibsql())(file);
    database.pragma("journal_mode = WAL");
    // Not only the log's order: what was answered survives a loss of power.
    database.pragma("synchronous = FULL");
    // What is redacted or deleted is overwritten; the writer then empties the log beside the file, which holds it too.
    database.pragma("secure_delete = ON");
    database.pragma(`busy_timeout = ${BUSY_MS}`);
    database.pragma("cache_size = -65536");
    if (readonly) database.pragma("query_only = ON");
    return new Kysely({ dialect: new SqliteDialect({ database: keepingStatements(database) }) });
  } catch (error) {
    if (error instanceof AttuneError) throw error;
    throw fail("ATTUNE_STORE", `Expected to open the store ${file} but ${reasonOf(error)}`, { cause: error });
  }
}

/** Loaded where a store is opened: half of it is a package for one system, without which all else works. */
function loadLibsql(): typeof Libsql {
  try {
    return createRequire(import.meta.url)("libsql") as typeof Libsql;
  } catch (error) {
    // What Node says of who asked for it follows in lines of its own.
    const [reason] = reasonOf(error).split("\n");
    const remedy =
      "npm installs it unless optional packages are left out; a store in PostgreSQL needs none of it.";
    throw fail("ATTUNE_STORE", `Expected libsql's package for this system but ${reason}. ${remedy}`, {
      cause: error,
    });
  }
}

/** Statements of one connection that are kept. Ours are fewer; lists of changing length make more of them. */
const MOST_STATEMENTS = 300;

/** Statements are made once: making one takes longer than most of them run, and what it holds is not freed at once. */
function keepingStatements(database: Libsql.Database): SqliteDatabase {
  const kept = new Map<string, Libsql.Statement>();
  return {
    prepare(text) {
      let statement = kept.get(text);
      // The one that was used last stands last.
      kept.delete(text);
      if (statement === undefined) {
        statement = database.prepare(text);
        const [oldest] = kept.keys();
        if (kept.size >= MOST_STATEMENTS && oldest !== undefined) kept.delete(oldest);
      }
      kept.set(text, statement);
      return statement as unknown as ReturnType<SqliteDatabase["prepare"]>;
    },
    close: () => {
      kept.clear();
      database.close();
    },
  };
}

/** SQLite's answers after which nothing more can be written: disk full, I/O errors, a broken file. */
export function isFatal(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  return /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN)/.test(code);
}
