// The embedded store: one file in a folder, written by a thread, read by this one. One process at a time.
// Must not decide what is written.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { fail, reasonOf } from "../../errors/index.js";
import type { OperationCall } from "../operations/index.js";
import { openEmbeddedDatabase } from "./embedded-database.js";
import type { WriterRequest } from "./embedded-writer.js";
import { lockFile } from "./lock-file.js";
import { Measuring } from "./measuring.js";
import type { FeedbackStore, StoreOptions } from "./store.js";
import type { Database } from "./tables.js";
import { ThreadCalls } from "./thread-calls.js";

export interface EmbeddedStoreOptions extends StoreOptions {
  /** Made when it is not there. */
  readonly folder: string;
}

/** @throws ATTUNE_STORE where it cannot be opened or another process has it */
export async function openEmbeddedStore({
  folder,
  clock = Date.now,
}: EmbeddedStoreOptions): Promise<FeedbackStore> {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fail("ATTUNE_STORE", `Expected to make the folder ${folder} but ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const unlock = lockFile(join(folder, "feedback.lock"));
  try {
    const file = join(folder, "feedback.db");
    const writer: WriterThread = new ThreadCalls({
      file: new URL("embedded-writer.js", import.meta.url),
      workerData: { feedbackStore: file },
    });
    await writer.opened;
    const reading = openEmbeddedDatabase({ file, readonly: true });
    return new EmbeddedStore(writer, reading, new Measuring({ reading, place: file }), { unlock, clock });
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * A copy of a store as it is at one moment, also while another process has it open: it is read alone, and waited for by nobody.
 * @throws ATTUNE_STORE where there is none
 */
export async function backupEmbeddedStore(folder: string, file: string): Promise<void> {
  const own = join(folder, "feedback.db");
  if (!existsSync(own)) throw fail("ATTUNE_STORE", `Expected a store in ${folder} but there is no ${own}.`);
  const database = openEmbeddedDatabase({ file: own });
  try {
    await sql`vacuum into ${file}`.execute(database);
  } catch (error) {
    throw fail("ATTUNE_STORE", `Expected to copy the store to ${file} but ${reasonOf(error)}`, {
      cause: error,
    });
  } finally {
    await database.destroy();
  }
}

type WriterThread = ThreadCalls<WriterRequest>;

interface Outside {
  readonly unlock: () => void;
  readonly clock: () => number;
}

class EmbeddedStore implements FeedbackStore {
  readonly kind = "embedded";
  private readonly listeners = new Set<(project: string) => void>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly writer: WriterThread,
    readonly reading: Database,
    private readonly measuring: Measuring,
    private readonly outside: Outside,
  ) {}

  write: FeedbackStore["write"] = async (project, name, input) => {
    const call = { project, name, input } as OperationCall;
    const result = await this.writer.ask({ kind: "call", call, now: Math.floor(this.outside.clock()) });
    for (const listener of this.listeners) listener(project);
    return result as never;
  };

  measure: FeedbackStore["measure"] = (project, name, input) => this.measuring.of(project, name, input);

  watch(listener: (project: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async backup(file: string): Promise<void> {
    await this.writer.ask({ kind: "backup", file });
  }

  async rebuild(): Promise<number> {
    return Number(await this.writer.ask({ kind: "rebuild" }));
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      this.listeners.clear();
      await this.measuring.close();
      await this.reading.destroy();
      await this.writer.close();
      this.outside.unlock();
    })();
    return this.closing;
  }
}
