// Runs a suite on the embedded store and, where ATTUNE_TEST_POSTGRES_URL names a server, on PostgreSQL, each test with a
// store of its own. Without it those tests are pending, and shown as such.

import { rmSync } from "node:fs";
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

/** A database of its own on the server, dropped at the end. */
export async function withDatabase(server: string, run: (url: string) => Promise<void>): Promise<void> {
  const { default: pg } = await import("pg");
  databases += 1;
  const name = `attune_test_${process.pid}_${databases}`;
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
    const url = new URL(server);
    url.pathname = `/${name}`;
    await run(url.href);
  } finally {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.end();
  }
}
