// Opens the embedded database's file: libsql (SQLite) in WAL mode, every commit on the disk before it is answered.
// Must not know tables.

import { Kysely, type SqliteDatabase, SqliteDialect } from "kysely";
import Libsql from "libsql";
import { fail, reasonOf } from "../../errors/index.js";
import type { FeedbackTables } from "./tables.js";

export interface OpenEmbedded {
  readonly file: string;
  readonly readonly?: boolean;
}

export function openEmbeddedDatabase({ file, readonly = false }: OpenEmbedded): Kysely<FeedbackTables> {
  try {
    const database = new Libsql(file);
    database.pragma("journal_mode = WAL");
    // Not only the log's order: what was answered survives a loss of power.
    database.pragma("synchronous = FULL");
    database.pragma("busy_timeout = 5000");
    database.pragma("cache_size = -65536");
    if (readonly) database.pragma("query_only = ON");
    return new Kysely({ dialect: new SqliteDialect({ database: database as unknown as SqliteDatabase }) });
  } catch (error) {
    throw fail("ATTUNE_STORE", `Expected to open the store ${file} but ${reasonOf(error)}`, { cause: error });
  }
}

/** SQLite's answers after which nothing more can be written: disk full, I/O errors, a broken file. */
export function isFatal(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  return /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN)/.test(code);
}
