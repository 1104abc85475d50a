// From files to tokenised rows, with the counts of everything that was left out: what a trainer starts with.
// Must not know batches or models.

import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { AttuneError, fail, reasonOf } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import { countChunk } from "./count-chunk.js";
import { findFiles } from "./find-files.js";
import { type HashedFile, hashFiles } from "./hash-files.js";
import { mergeGroups } from "./merge-groups.js";
import { pathsOf, type RowSource } from "./raw-rows.js";
import { createRowChecker } from "./row-checker.js";
import { createRowCounts, noRowsLeft, type RowCounts } from "./row-counts.js";
import type { FileNames } from "./row-record.js";
import { type FinishedRows, MEMORY_BYTES, RowSink, rowFileHead } from "./row-sink.js";
import { fileRows, memoryRows, type RowStore } from "./row-store.js";
import type { RowType } from "./rows.js";
import { SeenJudgements } from "./seen-judgements.js";
import { TokenCache, tokenKey } from "./token-cache.js";
import type { RowSettings } from "./tokenise-chunk.js";
import { acceptedTypes, checkTokeniseSettings } from "./tokenise-row.js";
import { tokeniseSource } from "./tokenise-source.js";

export interface LoadRowsOptions extends Omit<RowSettings, "accept"> {
  /** Files (JSONL, also in gzip or zstd; Parquet), folders, patterns, or the rows themselves. */
  readonly data: RowSource;
  readonly tokenizer: Tokenizer;
  /** Bad rows that are counted and passed over; the next one throws. Default 0. */
  readonly skipBadRows?: number;
  readonly signal?: AbortSignal;
  /** A folder that keeps the tokenised rows of files for later runs, or "off" (default). */
  readonly tokenCache?: string;
  /** Most worker threads beside the calling one, for much data in files. Default: one less than processors; 0: none. */
  readonly workers?: number;
  /** Bytes of tokenised rows that stay in memory; with more, all are read from a file on demand. Default 16 MiB. */
  readonly memoryBytes?: number;
  /** Pairs of one prompt become one row with `pairs` (for reward models). Default false. */
  readonly mergeGroups?: boolean;
  /** Hears what does not stop the run: a cache that cannot be used. Default: `process.emitWarning`. */
  readonly warn?: (text: string) => void;
}

export interface LoadedRows {
  /** In file order. */
  readonly rows: RowStore;
  readonly counts: RowCounts;
  /** What all rows are; undefined where none was kept. */
  readonly type: RowType | undefined;
  /** SHA-256 of the tokenised rows, hexadecimal: the same for the same rows in files of other names. */
  readonly hash: string;
  /** The files that were read, with SHA-256 of their bytes; none for rows in memory. */
  readonly files: readonly HashedFile[];
  /** Whether the rows came from the token cache. */
  readonly cached: boolean;
}

/**
 * Reads and tokenises all rows. Throws ATTUNE_NO_ROWS, with reasons and counts, when none is left; otherwise what
 * `readRows` and `tokeniseRow` throw, for the first bad row in order.
 */
export async function loadRows(options: LoadRowsOptions): Promise<LoadedRows> {
  const { mergeGroups: wanted = false, ...others } = options;
  const loaded = await loadAll(others);
  if (!wanted) return loaded;
  try {
    const rows = mergeGroups(loaded.rows);
    return { ...loaded, rows, counts: { ...loaded.counts, merged: loaded.rows.length - rows.length } };
  } catch (error) {
    loaded.rows.close();
    throw error;
  }
}

async function loadAll(options: Omit<LoadRowsOptions, "mergeGroups">): Promise<LoadedRows> {
  const request = requestOf(options);
  options.signal?.throwIfAborted();
  const paths = pathsOf(options.data);
  if (paths === undefined) return makeRows(request, { source: { data: options.data }, files: [] });
  const files = await hashFiles({ paths: await findFiles({ paths }), signal: options.signal });
  const names = files.map(({ path }) => path);
  const found: FoundFiles = { source: { files: names }, files };
  const cache = openCache(request, files);
  const kept = cache?.read(names, request.memoryBytes);
  // More bad rows than are tolerated now: reading again finds the one to complain about.
  if (kept !== undefined && kept.counts.bad <= request.skipBadRows) return { ...kept, files, cached: true };
  kept?.rows.close();
  if (cache === undefined) return makeRows(request, found);
  try {
    return await makeRows(request, found, cache);
  } catch (error) {
    if (!(error instanceof AttuneError) || error.code !== "ATTUNE_OUTPUT") throw error;
    request.warn(`The token cache is left alone: ${error.message}`);
    return makeRows(request, found);
  }
}

interface LoadRequest {
  readonly tokenizer: Tokenizer;
  readonly settings: RowSettings;
  readonly skipBadRows: number;
  readonly signal: AbortSignal | undefined;
  readonly tokenCache: string;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly warn: (text: string) => void;
}

interface FoundFiles {
  readonly source: { readonly files: readonly string[] } | { readonly data: RowSource };
  readonly files: readonly HashedFile[];
}

function requestOf(options: Omit<LoadRowsOptions, "mergeGroups">): LoadRequest {
  const { data: _data, tokenizer, skipBadRows = 0, signal, tokenCache = "off", ...others } = options;
  const { workers = availableParallelism() - 1, memoryBytes = MEMORY_BYTES, warn, ...given } = others;
  const settings = { ...given, accept: acceptedTypes[given.task] };
  if (!Number.isSafeInteger(workers) || workers < 0) {
    throw fail("ATTUNE_OPTION", `Expected workers to be an integer >= 0 (threads) but received ${workers}.`);
  }
  checkTokeniseSettings({ ...settings, tokenizer });
  createRowChecker(settings);
  const say = warn ?? ((text: string) => process.emitWarning(text, { type: "AttuneWarning" }));
  return { tokenizer, settings, skipBadRows, signal, tokenCache, threads: workers, memoryBytes, warn: say };
}

function openCache(request: LoadRequest, files: readonly HashedFile[]): TokenCache | undefined {
  const { tokenCache: folder, tokenizer, settings, warn } = request;
  if (folder === "off") return undefined;
  try {
    const key = tokenKey({ files: files.map(({ hash }) => hash), tokenizer, settings });
    return new TokenCache({ folder, key, warn });
  } catch (error) {
    warn(`The token cache in ${folder} cannot be used: ${reasonOf(error)}`);
    return undefined;
  }
}

async function makeRows(
  request: LoadRequest,
  { source, files }: FoundFiles,
  cache?: TokenCache,
): Promise<LoadedRows> {
  const names = files.map(({ path }) => path);
  const counts = createRowCounts();
  const seen = new SeenJudgements();
  let type: RowType | undefined;
  const temporary = join(tmpdir(), `attune-${randomUUID()}.tokens`);
  const sink = new RowSink({ ...request, spillPath: () => cache?.temporaryPath() ?? temporary });
  try {
    for await (const result of tokeniseSource({ ...request, source, names })) {
      countChunk(counts, result, request.skipBadRows);
      seen.count(counts, result.judgements);
      type = result.type;
      sink.add(result.words, result.lengths, result.facts);
    }
    if (counts.kept === 0) throw noRowsLeft(counts);
  } catch (error) {
    sink.discard();
    throw error;
  }
  const finished = sink.finish();
  try {
    cache?.save(finished, names, { counts, type });
  } catch (error) {
    request.warn(`The token cache cannot be written, so a later run tokenises again: ${reasonOf(error)}`);
  }
  return { rows: storeOf(finished, names, cache), counts, type, hash: finished.hash, files, cached: false };
}

function storeOf({ index, held }: FinishedRows, files: FileNames, cache: TokenCache | undefined): RowStore {
  if ("words" in held) return memoryRows({ index, files, words: held.words });
  // The open file outlives its name, and goes when it is closed.
  if (cache === undefined) rmSync(held.path, { force: true });
  return fileRows({ index, files, file: held.file, offset: rowFileHead.length });
}
