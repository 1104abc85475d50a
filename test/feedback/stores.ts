// Runs a suite on the embedded store and, where ATTUNE_TEST_POSTGRES_URL names a server, on PostgreSQL, each test with a
// store of its own. Without it those tests are pending, and shown as such.

import { rmSync } from "node:fs";
import type { Client } from "pg";
import { openFeedbackStore } from "../../lib/feedback/store/open-store.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { suiteFolder } from "../support/temporary-folder.js";

export interface StoreUnderTest {
  readonly kind: "embedded" | "postgres";
  readonly store: FeedbackStore;
  /** Milliseconds since 1970; what the store takes for now. */
  now: number;
  /** Closes it and opens it again. */
  reopen(): Promise<void>;
}

export type WithStore = (run: (test: StoreUnderTest) => Promise<void>) => () => Promise<void>;

/** The epoch of tests. */
export const START = 1_700_000_000_000;

export function describeStores(title: string, define: (withStore: WithStore) => void): void {
  describe(`${title}, embedded`, () => {
    const at = suiteFolder();
    let number = 0;
    define((run) => async () => {
      number += 1;
      const folder = at(`store-${number}`);
      await runWith("embedded", folder, run);
      rmSync(folder, { recursive: true });
    });
  });
  const server = process.env.ATTUNE_TEST_POSTGRES_URL;
  describe(`${title}, PostgreSQL`, () => {
    define((run) =>
      async function (this: Mocha.Context) {
        if (server === undefined) this.skip();
        await withDatabase(server, (url) => runWith("postgres", url, run));
      });
  });
}

async function runWith(
  kind: "embedded" | "postgres",
  place: string,
  run: (test: StoreUnderTest) => Promise<void>,
): Promise<void> {
  const open = () => openFeedbackStore({ store: place, clock: () => test.now });
  const test = {
    kind,
    now: START,
    store: undefined as unknown as FeedbackStore,
    async reopen() {
      await test.store.close();
      test.store = await open();
    },
  };
  test.store = await open();
  try {
    await run(test);
  } finally {
    await test.store.close();
  }
}

let databases = 0;
/** Of each server, databases that a test has left: made and migrated once, emptied for the next one. */
const left = new Map<string, string[]>();

/** An empty database of the server, for this test alone. */
export async function withDatabase(server: string, run: (url: string) => Promise<void>): Promise<void> {
  const name = left.get(server)?.pop() ?? (await newDatabase(server));
  const url = new URL(server);
  url.pathname = `/${name}`;
  try {
    await run(url.href);
    await emptyDatabase(url.href);
    left.set(server, [...(left.get(server) ?? []), name]);
  } catch (error) {
    // What a failed test left in it is nobody's business.
    await onServer(server, (client) => client.query(`drop database if exists ${name} with (force)`));
    throw error;
  }
}

async function newDatabase(server: string): Promise<string> {
  databases += 1;
  const name = `attune_test_${process.pid}_${databases}`;
  await onServer(server, (client) => client.query(`create database ${name}`));
  return name;
}

/** Who still uses it holds this up, and is a defect of the test. */
async function emptyDatabase(url: string): Promise<void> {
  await onServer(url, async (client) => {
    const { rows } = await client.query<{ tablename: string }>(
      "select tablename from pg_tables where schemaname = 'public' and tablename not like 'kysely_%'",
    );
    if (rows.length === 0) return;
    await client.query("set lock_timeout = '10s'");
    await client.query(
      `truncate ${rows.map(({ tablename }) => `"${tablename}"`).join(", ")} restart identity`,
    );
  });
}

async function onServer<Result>(url: string, run: (client: Client) => Promise<Result>): Promise<Result> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end();
  }
}

after(async () => {
  for (const [server, names] of left)
    await onServer(server, async (client) => {
      for (const name of names) await client.query(`drop database if exists ${name} with (force)`);
    });
  left.clear();
});
