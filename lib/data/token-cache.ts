// Keeps tokenised rows between runs: one file for each set of files, tokenizer, template and options.
// Must not tokenise. A file that cannot be used is said once and made anew; one that cannot be written is a warning.

import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { reasonOf } from "../errors/index.js";
import type { Tokenizer } from "../text/index.js";
import type { RowCounts } from "./row-counts.js";
import { RowIndex } from "./row-index.js";
import { bytesOf, type FinishedRows, rowFileHead, type SpillFile, writeBytes } from "./row-sink.js";
import { fileRows, memoryRows, type RowStore } from "./row-store.js";
import type { RowType } from "./rows.js";

/** Last bytes of a whole file, behind the length of the JSON in front of them. */
const tail: Uint8Array = Buffer.from("\nattune tokens: end of file\n");
const TAIL_BYTES = tail.length + 8;
/** Files begun by runs that did not live to finish them are removed after a day. */
const FORGOTTEN_MS = 24 * 60 * 60 * 1000;

/** `$XDG_CACHE_HOME/attune/tokens`, by default in `~/.cache`. */
export function defaultTokenCache(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment.XDG_CACHE_HOME;
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "attune", "tokens");
}

export interface TokenKeyParts {
  /** SHA-256 of each file's bytes, in order. */
  readonly files: readonly string[];
  readonly tokenizer: Tokenizer;
  /** Every option that decides ids or which rows stay. */
  readonly settings: object;
}

/** Name of a cache's file: a hash of all that decides the rows, this package's own code included. */
export function tokenKey({ files, tokenizer, settings }: TokenKeyParts): string {
  const options = Object.entries(settings).filter(([, value]) => value !== undefined);
  const sorted = options.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = [files, tokenizer.hash, tokenizer.chat?.hash ?? "", sorted, codeHash()];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40);
}

let code: string | undefined;

/** Hash of the rooms that make ids: with other code, rows are made anew. */
function codeHash(): string {
  if (code !== undefined) return code;
  const here = dirname(fileURLToPath(import.meta.url));
  const hash = createHash("sha256");
  for (const folder of [here, join(here, "..", "text")]) {
    const names = readdirSync(folder).filter((name) => /(?<!\.d)\.[jt]s$/.test(name));
    for (const name of names.toSorted()) hash.update(readFileSync(join(folder, name)));
  }
  code = hash.digest("hex");
  return code;
}

/** What stands in the file beside the rows. */
interface CacheFacts {
  readonly key: string;
  readonly rows: number;
  readonly words: number;
  readonly hash: string;
  readonly indexHash: string;
  /** Names of the data's files when the cache was made. */
  readonly files: readonly string[];
  readonly counts: RowCounts;
  /** What all rows are. */
  readonly type?: RowType | undefined;
}

export interface CachedRows {
  readonly rows: RowStore;
  readonly counts: RowCounts;
  readonly type: RowType | undefined;
  readonly hash: string;
}

export interface TokenCacheOptions {
  readonly folder: string;
  readonly key: string;
  readonly warn: (text: string) => void;
}

export class TokenCache {
  readonly #path: string;
  readonly #options: TokenCacheOptions;

  constructor(options: TokenCacheOptions) {
    this.#options = options;
    this.#path = join(options.folder, `${options.key}.tokens`);
  }

  /**
   * The rows of an earlier run over the same data; `files` are the names it has now. Up to `memoryBytes` of records are
   * taken into memory and checked against their hash. Undefined when there is no usable file.
   */
  read(files: readonly string[], memoryBytes: number): CachedRows | undefined {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#unusable(reasonOf(error));
      return undefined;
    }
    try {
      const found = readCache(file, this.#options.key);
      if (typeof found === "string") throw new Error(found);
      const { facts, index } = found;
      const small = 4 * facts.words <= memoryBytes;
      const rows = small ? wordsInMemory(file, facts, index, files) : undefined;
      if (rows !== undefined) closeSync(file);
      return {
        rows: rows ?? fileRows({ index, files, file, offset: rowFileHead.length }),
        counts: renamed(facts, files),
        type: facts.type,
        hash: facts.hash,
      };
    } catch (error) {
      closeSync(file);
      this.#unusable(reasonOf(error));
      return undefined;
    }
  }

  /** A new name beside the cache's own, in a folder that exists. Throws when it cannot be made. */
  temporaryPath(): string {
    const { folder } = this.#options;
    makeFolder(folder);
    removeForgotten(folder);
    return `${this.#path}.${randomUUID()}.tmp`;
  }

  /** Writes what is missing and gives the file its name. Throws when it cannot be written; nothing is left then. */
  save(rows: FinishedRows, files: readonly string[], kept: Pick<CacheFacts, "counts" | "type">): void {
    const spilled = "file" in rows.held ? rows.held : undefined;
    let path = spilled?.path ?? "";
    let opened: SpillFile | undefined;
    try {
      if (spilled === undefined) {
        path = this.temporaryPath();
        opened = { path, file: openSync(path, "wx") };
        writeBytes(opened, rowFileHead);
        if ("words" in rows.held) writeBytes(opened, bytesOf(rows.held.words));
      }
      const target = spilled ?? opened;
      if (target !== undefined) writeEnd(target, this.#options.key, rows, files, kept);
      renameSync(path, this.#path);
    } catch (error) {
      if (path !== "") rmSync(path, { force: true });
      throw error;
    } finally {
      if (opened !== undefined) closeSync(opened.file);
    }
  }

  #unusable(reason: string): void {
    this.#options.warn(`The token cache ${this.#path} cannot be used (${reason}); its rows are made anew.`);
  }
}

function writeEnd(
  target: SpillFile,
  key: string,
  { index, hash }: FinishedRows,
  files: readonly string[],
  kept: Pick<CacheFacts, "counts" | "type">,
): void {
  const indexHash = createHash("sha256");
  for (const block of index.bytes()) {
    indexHash.update(block);
    writeBytes(target, block);
  }
  const facts: CacheFacts = {
    key,
    rows: index.length,
    words: index.words,
    hash,
    indexHash: indexHash.digest("hex"),
    files,
    ...kept,
  };
  const json = Buffer.from(JSON.stringify(facts));
  writeBytes(target, json);
  writeBytes(target, new Uint8Array(Float64Array.of(json.length).buffer));
  writeBytes(target, tail);
}

/** What the end of the file says, checked against its size and key; or why it cannot be used. */
function readCache(file: number, key: string): { facts: CacheFacts; index: RowIndex } | string {
  const cut = "it is cut or no file of tokens";
  const { size } = fstatSync(file);
  if (size < rowFileHead.length + TAIL_BYTES) return cut;
  if (!rowFileHead.every((byte, i) => bytesAt(file, 0, rowFileHead.length)[i] === byte)) return cut;
  const end = bytesAt(file, size - TAIL_BYTES, TAIL_BYTES);
  if (Buffer.compare(end.subarray(8), tail) !== 0) return cut;
  const length = end.readDoubleLE(0);
  if (!(length > 0 && length < size)) return cut;
  const jsonStart = size - TAIL_BYTES - length;
  const facts = JSON.parse(bytesAt(file, jsonStart, length).toString("utf8")) as CacheFacts;
  if (facts.key !== key) return "it belongs to other data, another tokenizer or other options";
  const indexStart = rowFileHead.length + 4 * facts.words;
  if (indexStart + RowIndex.byteLength(facts.rows) !== jsonStart) return cut;
  const bytes = bytesAt(file, indexStart, jsonStart - indexStart);
  if (createHash("sha256").update(bytes).digest("hex") !== facts.indexHash) return "its index is damaged";
  const index = RowIndex.from(bytes, facts.rows, facts.words);
  return index === undefined ? "its index is damaged" : { facts, index };
}

function wordsInMemory(
  file: number,
  { words: count, hash }: CacheFacts,
  index: RowIndex,
  files: readonly string[],
): RowStore {
  const words = new Int32Array(count);
  const bytes = bytesOf(words);
  bytes.set(bytesAt(file, rowFileHead.length, bytes.length));
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== hash) throw new Error("its rows are damaged");
  return memoryRows({ index, files, words });
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const count = readSync(file, bytes, 0, length, position);
  if (count < length) throw new Error("it is cut");
  return bytes;
}

/** The counts, with the names that the files have now in the messages. */
function renamed({ counts, files: before }: CacheFacts, now: readonly string[]): RowCounts {
  const badMessages = counts.badMessages.map((message) => {
    const number = before.findIndex((name) => message.startsWith(`${name}:`));
    const [old, name] = [before[number], now[number]];
    return old === undefined || name === undefined ? message : name + message.slice(old.length);
  });
  return { ...counts, badMessages };
}

/** Not `mkdir` with `recursive`: below a parent that answers ENOENT, as /proc does, Node then tries for ever. */
function makeFolder(folder: string): void {
  const isFolder = () => statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder()) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder()) throw error;
  }
}

function removeForgotten(folder: string): void {
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".tmp"))) {
    const path = join(folder, name);
    const about = statSync(path, { throwIfNoEntry: false });
    if (about !== undefined && Date.now() - about.mtimeMs > FORGOTTEN_MS) rmSync(path, { force: true });
  }
}
