// The store in PostgreSQL, for more than one process or machine. A project's log is appended to by whoever holds the lock
// of its row. Must not decide what is written.

import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { AttuneError, fail, reasonOf } from "../../errors/index.js";
import { type OperationCall, runOperation } from "../operations/index.js";
import { rebuild } from "./event-log.js";
import { Measuring } from "./measuring.js";
import { migrate } from "./migrations.js";
import { OpenItemsCache } from "./open-items-cache.js";
import { loadPg, openPostgresDatabase } from "./postgres-database.js";
import { CHANNEL, PostgresListening } from "./postgres-listening.js";
import type { FeedbackStore, StoreOptions } from "./store.js";
import type { Database } from "./tables.js";

export interface PostgresStoreOptions extends StoreOptions {
  /** postgres://user:password@host/database */
  readonly url: string;
  /** Connections. Default 10. */
  readonly connections?: number;
}

/** @throws ATTUNE_STORE where it cannot be reached, or the package `pg` is not installed */
export async function openPostgresStore({
  url,
  connections = 10,
  clock = Date.now,
}: PostgresStoreOptions): Promise<FeedbackStore> {
  const database = await openPostgresDatabase({ url, connections });
  try {
    await migrate(database);
    const pg = await loadPg();
    const listening = new PostgresListening({
      connection: () => new pg.default.Client({ connectionString: url }),
    });
    await listening.begin();
    return new PostgresStore(database, listening, new Measuring({ reading: database, place: url }), clock);
  } catch (error) {
    await database.destroy();
    if (error instanceof AttuneError) throw error;
    throw fail("ATTUNE_STORE", `Expected to open the store in PostgreSQL but ${reasonOf(error)}`, {
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
    private readonly measuring: Measuring,
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

  measure: FeedbackStore["measure"] = (project, name, input) => this.measuring.of(project, name, input);

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
      await this.measuring.close();
      await this.listening.end();
      await this.reading.destroy();
    })();
    return this.closing;
  }
}
