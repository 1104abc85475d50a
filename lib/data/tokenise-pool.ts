// Worker threads that tokenise chunks; answers come in the order of the questions. Must not read rows or count them.

import type { Worker } from "node:worker_threads";
import { fail, receivedError, type SentError } from "../errors/index.js";
import { startThread } from "./start-thread.js";
import type { ChunkResult } from "./tokenise-chunk.js";
import type { WorkerAnswer, WorkerRequest, WorkerStart } from "./tokenise-worker.js";

export interface TokenisePool {
  /** Waits for no turn: whoever asks keeps few questions open. */
  submit(request: WorkerRequest): Promise<ChunkResult>;
  /** Ends all threads; open questions are rejected. */
  close(): Promise<void>;
}

export interface OpenPoolOptions extends WorkerStart {
  readonly threads: number;
}

export function openPool({ threads, ...start }: OpenPoolOptions): TokenisePool {
  const workers = Array.from({ length: threads }, () => new PoolWorker(start));
  return {
    submit: (request) => {
      const idlest = workers.reduce((best, worker) => (worker.open < best.open ? worker : best));
      return idlest.submit(request);
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}

interface Question {
  readonly resolve: (result: ChunkResult) => void;
  readonly reject: (error: Error) => void;
}

/** A thread's heap beside the tokenizer stays small: rows pass through. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };
const file = new URL("tokenise-worker.js", import.meta.url);

class PoolWorker {
  readonly #worker: Worker;
  #questions: Question[] = [];
  #ended: Error | undefined;

  constructor(start: WorkerStart) {
    this.#worker = startThread({ file, workerData: start, resourceLimits });
    this.#worker.on("message", (answer: WorkerAnswer) => this.#answer(answer));
    this.#worker.on("error", (error: Error) => this.#end(error));
    this.#worker.on("exit", () => this.#end(fail("ATTUNE_INTERNAL", "A tokenising thread ended early.")));
  }

  /** Questions without an answer. */
  get open(): number {
    return this.#questions.length;
  }

  submit(request: WorkerRequest): Promise<ChunkResult> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#questions.push({ resolve, reject });
      this.#worker.postMessage(request, [request.chunk.bytes.buffer as ArrayBuffer]);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #answer({ result, error }: WorkerAnswer): void {
    const question = this.#questions.shift();
    if (result === undefined) question?.reject(receivedError(error ?? { message: "no answer" }));
    else question?.resolve(whole(result));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#questions.splice(0)) reject(this.#ended);
  }
}

/** The errors of a result as errors again. */
function whole({ bad, failure, ...result }: ChunkResult): ChunkResult {
  return {
    ...result,
    bad: bad.map(({ error, counts }) => ({ error: receivedError(error as SentError), counts })),
    ...(failure === undefined ? {} : { failure: { error: receivedError(failure.error as SentError) } }),
  };
}
