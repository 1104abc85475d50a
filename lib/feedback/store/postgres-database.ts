// Opens connections to PostgreSQL. Must not know tables.

import { Kysely, PostgresDialect } from "kysely";
import { fail } from "../../errors/index.js";
import type { FeedbackTables } from "./tables.js";

export type Pg = typeof import("pg");

export interface OpenPostgres {
  /** postgres://user:password@host/database */
  readonly url: string;
  readonly connections: number;
}

/** @throws ATTUNE_STORE where the package `pg` is not installed; whether it can be reached the first query tells */
export async function openPostgresDatabase({
  url,
  connections,
}: OpenPostgres): Promise<Kysely<FeedbackTables>> {
  const pg = await loadPg();
  const pool = new pg.default.Pool({
    connectionString: url,
    max: connections,
    // Whole numbers of 64 bits come as texts; all of ours are below 2^53.
    types: {
      getTypeParser: ((oid: number, format: "text" | "binary") =>
        oid === pg.default.types.builtins.INT8
          ? Number
          : pg.default.types.getTypeParser(oid, format as "text")) as never,
    },
  });
  // A connection that is lost while nobody uses it is made again.
  pool.on("error", () => undefined);
  return new Kysely<FeedbackTables>({ dialect: new PostgresDialect({ pool }) });
}

export async function loadPg(): Promise<Pg> {
  try {
    return await import("pg");
  } catch (error) {
    throw fail("ATTUNE_STORE", "Expected the package pg for a store in PostgreSQL. Install it: npm i pg", {
      cause: error,
    });
  }
}
