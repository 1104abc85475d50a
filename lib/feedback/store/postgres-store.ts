// The store in PostgreSQL, for more than one process or machine. A project's log is appended to by whoever holds the lock
// of its row. Must not decide what is written.

import { randomUUID } from "node:crypto";
import { Kysely, PostgresDialect, sql } from "kysely";
import { AttuneError, fail, reasonOf } from "../../errors/index.js";
import { type OperationCall, runOperation } from "../operations/index.js";
import { rebuild } from "./event-log.js";
import { migrate } from "./migrations.js";
import { OpenItemsCache } from "./open-items-cache.js";
import { CHANNEL, PostgresListening } from "./postgres-listening.js";
import type { FeedbackStore, StoreOptions } from "./store.js";
import type { Database, FeedbackTables } from "./tables.js";

export interface PostgresStoreOptions extends StoreOptions {
  /** postgres://user:password@host/database */
  readonly url: string;
  /** Connections. Default 10. */
  readonly connections?: number;
}

type Pg = typeof import("pg");

/** @throws ATTUNE_STORE where it cannot be reached, or the package `pg` is not installed */
export async function openPostgresStore({
  url,
  connections = 10,
  clock = Date.now,
}: PostgresStoreOptions): Promise<FeedbackStore> {
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
  const database = new Kysely<FeedbackTables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await migrate(database);
    const listening = new PostgresListening({
      connection: () => new pg.default.Client({ connectionString: url }),
    });
    await listening.begin();
    return new PostgresStore(database, listening, clock);
  } catch (error) {
    await database.destroy();
    if (error instanceof AttuneError) throw error;
    throw fail("ATTUNE_STORE", `Expected to open the store in PostgreSQL but ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function loadPg(): Promise<Pg> {
  try {
    return await import("pg");
  } catch (error) {
    throw fail("ATTUNE_STORE", "Expected the package pg for a store in PostgreSQL. Install it: npm i pg", {
      cause: error,
    });
  }
}

class PostgresStore implements FeedbackStore {
  readonly kind = "postgres";
  private readonly cache = new OpenItemsCache();
  private closing: Promise<void> | undefined;

  constructor(
    readonly reading: Database,
    private readonly listening: PostgresListening,
    private readonly clock: () => number,
  ) {}

  write: FeedbackStore["write"] = async (project, name, input) => {
    const call = { project, name, input } as OperationCall;
    try {
      const result = await this.reading.transaction().execute(async (writing) => {
        try {
          const now = Math.floor(this.clock());
          // Before anything is read: what is decided of a project's state is decided by one at a time.
          await sql`select seq from sequences where project = ${project} for update`.execute(writing);
          const done = await runOperation({ writing, now, id: randomUUID, cache: this.cache }, call);
          await sql`select pg_notify(${CHANNEL}, ${project})`.execute(writing);
          return done;
        } catch (error) {
          // It may hold what does not happen; before the lock goes to others.
          this.cache.forget(project);
          throw error;
        }
      });
      return result as never;
    } catch (error) {
      if (error instanceof AttuneError) throw error;
      throw fail("ATTUNE_STORE", `Expected to write the store but ${reasonOf(error)}`, { cause: error });
    }
  };

  watch(listener: (project: string) => void): () => void {
    this.listening.listeners.add(listener);
    return () => this.listening.listeners.delete(listener);
  }

  async backup(): Promise<void> {
    throw fail("ATTUNE_OPTION", "Expected an embedded store to back up. Use pg_dump for one in PostgreSQL.");
  }

  rebuild(): Promise<number> {
    return this.reading.transaction().execute((writing) => rebuild(writing));
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      await this.listening.end();
      await this.reading.destroy();
    })();
    return this.closing;
  }
}
