// Worker threads that tokenise chunks; answers come in the order of the questions. Must not read rows or count them.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { fail } from "../errors/index.js";
import type { ChunkResult } from "./tokenise-chunk.js";
import type { SentError, WorkerAnswer, WorkerRequest, WorkerStart } from "./tokenise-worker.js";

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

class PoolWorker {
  readonly #worker: Worker;
  #questions: Question[] = [];
  #ended: Error | undefined;

  constructor(start: WorkerStart) {
    this.#worker = startThread(start);
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
    if (result === undefined) question?.reject(received(error ?? { message: "no answer" }));
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
    bad: bad.map(({ error, counts }) => ({ error: received(error as SentError), counts })),
    ...(failure === undefined ? {} : { failure: { error: received(failure.error as SentError) } }),
  };
}

function received({ code, message, details, cause }: SentError): Error {
  if (code === undefined) return new Error(message);
  return fail(code, message, {
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  });
}

/** A thread's heap beside the tokenizer stays small: rows pass through. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };

/** A thread is a file of the compiled package; run from its TypeScript sources, it needs their loader first. */
function startThread(workerData: WorkerStart): Worker {
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("tokenise-worker.js", import.meta.url), { workerData, resourceLimits });
  }
  // Its module form: `import.meta.resolve` would find it, but is not there when this file was loaded by require().
  const path = createRequire(import.meta.url)
    .resolve("tsx/esm/api")
    .replace(/\.cjs$/, ".mjs");
  const loader = JSON.stringify(pathToFileURL(path).href);
  const file = JSON.stringify(new URL("tokenise-worker.ts", import.meta.url).href);
  const code = `import(${loader}).then(({ register }) => { register(); return import(${file}); })`;
  return new Worker(code, { eval: true, workerData, resourceLimits });
}
