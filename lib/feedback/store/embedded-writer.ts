// The embedded store's only writer, on a thread of its own: calls that wait together share one transaction, and each is
// answered after it. Must not serve reads.

import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { sql } from "kysely";
import { fail, reasonOf, type SentError, sentError } from "../../errors/index.js";
import { type OperationCall, runOperation } from "../operations/index.js";
import { BUSY_MS, isFatal, openEmbeddedDatabase } from "./embedded-database.js";
import { rebuild } from "./event-log.js";
import { migrate } from "./migrations.js";
import { OpenItemsCache } from "./open-items-cache.js";
import type { Database, Writing } from "./tables.js";
import { OPENED, type ThreadAnswer } from "./thread-calls.js";

export interface WriterStart {
  readonly feedbackStore: string;
}

export type WriterRequest =
  | { readonly id: number; readonly kind: "call"; readonly call: OperationCall; readonly now: number }
  | { readonly id: number; readonly kind: "backup"; readonly file: string }
  | { readonly id: number; readonly kind: "rebuild" }
  | { readonly id: number; readonly kind: "close" };

interface WriterAnswer extends ThreadAnswer {
  /** Nothing can be written any more. */
  readonly stopped?: boolean;
}

/** Calls in one transaction: more would make the first of them wait. */
const MOST_TOGETHER = 256;

class Writer {
  private readonly waiting: WriterRequest[] = [];
  private readonly cache = new OpenItemsCache();
  private running = false;
  private stopped: SentError | undefined;
  /** What was taken out stands in the log beside the file until that is written back. */
  private traces = false;

  constructor(private readonly database: Database) {}

  take(request: WriterRequest): void {
    this.waiting.push(request);
    if (this.running) return;
    this.running = true;
    // What else has arrived is taken together.
    setImmediate(() => void this.drain());
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const [first] = this.waiting;
      if (first?.kind === "call") await this.runCalls(this.takeCalls());
      else if (this.waiting.shift() !== undefined && first !== undefined) await this.runOther(first);
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.running = false;
  }

  private takeCalls() {
    const calls: (WriterRequest & { kind: "call" })[] = [];
    while (calls.length < MOST_TOGETHER) {
      const [request] = this.waiting;
      if (request?.kind !== "call") break;
      this.waiting.shift();
      calls.push(request);
    }
    return calls;
  }

  private async runCalls(calls: readonly (WriterRequest & { kind: "call" })[]): Promise<void> {
    if (this.stopped !== undefined) {
      for (const { id } of calls) answer({ id, error: this.stopped, stopped: true });
      return;
    }
    const answers: WriterAnswer[] = [];
    try {
      await this.database.connection().execute(async (writing) => {
        await sql`begin immediate`.execute(writing);
        for (const request of calls) answers.push(await this.runCall(writing, request));
        await sql`commit`.execute(writing);
      });
    } catch (error) {
      const failure = this.stop(error);
      for (const { id } of calls) answer({ id, error: failure, stopped: true });
      return;
    }
    await this.clearTraces(calls);
    for (const one of answers) answer(one);
  }

  /** Where somebody reads in the middle of it, which nobody waits for, the next commit tries again. */
  private async clearTraces(calls: readonly (WriterRequest & { kind: "call" })[]): Promise<void> {
    if (calls.some(({ call }) => leavesTraces(call.name))) this.traces = true;
    if (!this.traces) return;
    try {
      await sql`pragma busy_timeout = 0`.execute(this.database);
      const checkpoint = sql<{ readonly busy: number }>`pragma wal_checkpoint(truncate)`;
      const { rows } = await checkpoint.execute(this.database);
      this.traces = rows[0]?.busy !== 0;
    } catch {
      // Tried again; the commit itself is on the disk.
    } finally {
      await sql`pragma busy_timeout = ${sql.lit(BUSY_MS)}`.execute(this.database);
    }
  }

  /** A call that fails takes back what it has done; one that the disk refuses ends the whole transaction. */
  private async runCall(writing: Writing, { id, call, now }: WriterRequest & { kind: "call" }) {
    await sql`savepoint call`.execute(writing);
    try {
      const result = await runOperation({ writing, now, id: randomUUID, cache: this.cache }, call);
      await sql`release call`.execute(writing);
      return { id, result };
    } catch (error) {
      if (isFatal(error)) throw error;
      await sql`rollback to call`.execute(writing);
      await sql`release call`.execute(writing);
      this.cache.forget(call.project);
      return { id, error: sentError(error) };
    }
  }

  /** After a commit that failed nobody knows what is on the disk: a restart reads it. */
  private stop(error: unknown): SentError {
    const text = `Expected to write the store but ${reasonOf(error)}.`;
    const remedy = "Nothing that was acknowledged is lost. Make room or mend the disk, and start again.";
    this.stopped = sentError(fail("ATTUNE_STORE", `${text} ${remedy}`, { cause: error }));
    return this.stopped;
  }

  private async runOther(request: WriterRequest): Promise<void> {
    try {
      answer({ id: request.id, result: await this.other(request) });
    } catch (error) {
      answer({ id: request.id, error: sentError(error) });
    }
    if (request.kind === "close") parentPort?.close();
  }

  private async other(request: WriterRequest): Promise<unknown> {
    switch (request.kind) {
      case "backup":
        await sql`vacuum into ${request.file}`.execute(this.database);
        return undefined;
      case "rebuild":
        return this.database.transaction().execute((writing) => rebuild(writing));
      default:
        // One file holds everything then; where that fails the next start does it.
        await sql`pragma wal_checkpoint(truncate)`.execute(this.database).catch(() => undefined);
        await this.database.destroy();
        return undefined;
    }
  }
}

function leavesTraces(name: OperationCall["name"]): boolean {
  return name === "redactItem" || name === "redactJudgement";
}

function answer(one: WriterAnswer): void {
  parentPort?.postMessage(one);
}

async function serve({ feedbackStore }: WriterStart): Promise<void> {
  try {
    const database = openEmbeddedDatabase({ file: feedbackStore });
    await migrate(database);
    const writer = new Writer(database);
    parentPort?.on("message", (request: WriterRequest) => writer.take(request));
    answer({ id: OPENED });
  } catch (error) {
    answer({ id: OPENED, error: sentError(error) });
    parentPort?.close();
  }
}

// Not awaited at the top: that would keep `require("attune")` from working.
if (parentPort !== null && isStart(workerData)) void serve(workerData);

function isStart(data: unknown): data is WriterStart {
  return typeof data === "object" && data !== null && "feedbackStore" in data;
}
