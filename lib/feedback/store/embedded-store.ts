// The embedded store: one file in a folder, written by a thread, read by this one. One process at a time.
// Must not decide what is written.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { startThread } from "../../data/index.js";
import { fail, reasonOf, receivedError } from "../../errors/index.js";
import type { OperationCall } from "../operations/index.js";
import { openEmbeddedDatabase } from "./embedded-database.js";
import { OPENED, type WriterAnswer, type WriterRequest } from "./embedded-writer.js";
import { lockFile } from "./lock-file.js";
import type { FeedbackStore, StoreOptions } from "./store.js";
import type { Database } from "./tables.js";

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
    const writer = new WriterThread(file);
    await writer.opened;
    return new EmbeddedStore(writer, openEmbeddedDatabase({ file, readonly: true }), unlock, clock);
  } catch (error) {
    unlock();
    throw error;
  }
}

class EmbeddedStore implements FeedbackStore {
  readonly kind = "embedded";
  private readonly listeners = new Set<(project: string) => void>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly writer: WriterThread,
    readonly reading: Database,
    private readonly unlock: () => void,
    private readonly clock: () => number,
  ) {}

  write: FeedbackStore["write"] = async (project, name, input) => {
    const call = { project, name, input } as OperationCall;
    const result = await this.writer.ask({ kind: "call", call, now: Math.floor(this.clock()) });
    for (const listener of this.listeners) listener(project);
    return result as never;
  };

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
      await this.reading.destroy();
      await this.writer.close();
      this.unlock();
    })();
    return this.closing;
  }
}

interface Question {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A request without its number. */
type Asked = WriterRequest extends infer One ? (One extends unknown ? Omit<One, "id"> : never) : never;

class WriterThread {
  readonly opened: Promise<unknown>;
  private readonly thread: Worker;
  private readonly questions = new Map<number, Question>();
  private last = OPENED;
  private ended: Error | undefined;

  constructor(file: string) {
    this.thread = startThread({
      file: new URL("embedded-writer.js", import.meta.url),
      workerData: { feedbackStore: file },
    });
    this.opened = new Promise((resolve, reject) => this.questions.set(OPENED, { resolve, reject }));
    this.thread.on("message", (answer: WriterAnswer) => this.answered(answer));
    this.thread.on("error", (error: Error) => this.end(error));
    this.thread.on("exit", () => this.end(new Error("its thread has ended")));
  }

  ask(request: Asked): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    this.last += 1;
    const id = this.last;
    return new Promise((resolve, reject) => {
      this.questions.set(id, { resolve, reject });
      this.thread.postMessage({ ...request, id });
    });
  }

  async close(): Promise<void> {
    if (this.ended !== undefined) return;
    await this.ask({ kind: "close" });
    await this.thread.terminate();
  }

  private answered({ id, result, error }: WriterAnswer): void {
    const question = this.questions.get(id);
    this.questions.delete(id);
    if (error === undefined) question?.resolve(result);
    else question?.reject(receivedError(error));
  }

  private end(error: Error): void {
    this.ended ??= fail("ATTUNE_STORE", `Expected an open store but ${error.message}. Start again.`, {
      cause: error,
    });
    for (const { reject } of this.questions.values()) reject(this.ended);
    this.questions.clear();
  }
}
