// Calls of a worker thread: questions with numbers, answers that name them. Must not know what is asked.

import type { Worker } from "node:worker_threads";
import { startThread } from "../../data/index.js";
import { fail, receivedError, type SentError } from "../../errors/index.js";

export interface ThreadAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: SentError;
}

/** Of the answer that says that the thread is ready. */
export const OPENED = 0;

interface Question {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A request without its number. */
type Asked<Request> = Request extends infer One ? (One extends unknown ? Omit<One, "id"> : never) : never;

export class ThreadCalls<Request extends { readonly id: number; readonly kind: string }> {
  readonly opened: Promise<unknown>;
  private readonly thread: Worker;
  private readonly questions = new Map<number, Question>();
  private last = OPENED;
  private ended: Error | undefined;

  constructor(start: { readonly file: URL; readonly workerData: unknown }) {
    this.thread = startThread(start);
    this.opened = new Promise((resolve, reject) => this.questions.set(OPENED, { resolve, reject }));
    this.thread.on("message", (answer: ThreadAnswer) => this.answered(answer));
    this.thread.on("error", (error: Error) => this.end(error));
    this.thread.on("exit", () => this.end(new Error("its thread has ended")));
  }

  ask(request: Asked<Request>): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    this.last += 1;
    const id = this.last;
    return new Promise((resolve, reject) => {
      this.questions.set(id, { resolve, reject });
      this.thread.postMessage({ ...request, id });
    });
  }

  /** What was asked before is answered first. */
  async close(): Promise<void> {
    if (this.ended !== undefined) return;
    await this.ask({ kind: "close" } as Asked<Request>);
    await this.thread.terminate();
  }

  /** At once: what was asked is rejected. */
  async abandon(): Promise<void> {
    await this.thread.terminate();
  }

  private answered({ id, result, error }: ThreadAnswer): void {
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
