// Runs on a worker thread: loads the tokenizer once, then turns chunks of raw rows into records, one message each.
// Must not load the addon or read rows.

import { parentPort, workerData } from "node:worker_threads";
import { fail, type SentError, sentError } from "../errors/index.js";
import { type LoadTokenizerOptions, loadTokenizer } from "../text/index.js";
import type { RowType } from "./rows.js";
import {
  type ChunkResult,
  type RawChunk,
  type RowSettings,
  type TokeniseChunkOptions,
  tokeniseChunk,
} from "./tokenise-chunk.js";

export interface WorkerStart {
  readonly origin: LoadTokenizerOptions;
  /** Hashes of the tokenizer and template that the main thread has. */
  readonly hashes: readonly [string, string];
  readonly settings: RowSettings;
  readonly skipBadRows: number;
}

export interface WorkerRequest {
  readonly chunk: RawChunk;
  readonly names: readonly string[];
  readonly type: RowType | undefined;
}

export interface WorkerAnswer {
  readonly result?: ChunkResult;
  readonly error?: SentError;
}

export function hashesOf(tokenizer: { readonly hash: string; readonly chat: { hash: string } | undefined }) {
  return [tokenizer.hash, tokenizer.chat?.hash ?? ""] as const;
}

async function serve({ origin, hashes, settings, skipBadRows }: WorkerStart): Promise<void> {
  const loading = loadTokenizer(origin).then((tokenizer) => {
    if (hashesOf(tokenizer).join() === hashes.join()) return tokenizer;
    const text = `Expected the tokenizer in ${origin.path} to stay as it was, but its files changed while rows were read.`;
    throw fail("ATTUNE_TOKENIZER", `${text} Start again.`);
  });
  loading.catch(() => undefined);
  parentPort?.on("message", async ({ chunk, names, type }: WorkerRequest) => {
    try {
      const tokenizer = await loading;
      const options: TokeniseChunkOptions = { chunk, tokenizer, settings, names, type, skipBadRows };
      const result = tokeniseChunk(options);
      const sent = {
        ...result,
        bad: result.bad.map(({ error, counts }) => ({ error: sentError(error), counts })),
        ...(result.failure === undefined ? {} : { failure: { error: sentError(result.failure.error) } }),
      };
      const buffers = [result.words.buffer, result.lengths.buffer] as ArrayBuffer[];
      parentPort?.postMessage({ result: sent } satisfies WorkerAnswer, buffers);
    } catch (error) {
      parentPort?.postMessage({ error: sentError(error) } satisfies WorkerAnswer);
    }
  });
}

// Not awaited at the top: that would keep `require("attune")` from working. What fails ends the worker with its error.
if (parentPort !== null && isStart(workerData)) void serve(workerData);

function isStart(data: unknown): data is WorkerStart {
  return typeof data === "object" && data !== null && "origin" in data && "hashes" in data;
}
