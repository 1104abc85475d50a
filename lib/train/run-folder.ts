// The folder of a run: config.yaml, run.json, metrics.jsonl and the model. Nothing is written before `create`.
// Must not use an engine or import a trainer's loop.

import { closeSync, constants, existsSync, openSync, rmSync, statSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { makeFolder, removeMade } from "../engine/make-folder.js";
import { AttuneError, fail, reasonOf } from "../errors/index.js";
import { MetricsWriter } from "./metrics.js";
import { replaceFile, unwritable } from "./run-files.js";

export type RunStatus = "running" | "done" | "failed" | "interrupted";

/** The content of run.json. */
export interface RunRecord {
  readonly formatVersion: 1;
  readonly command: string;
  readonly status: RunStatus;
  readonly started: string;
  readonly finished?: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  readonly seed: number;
  /** SHA-256 of the rows and of the model's files, by path. */
  readonly hashes: Readonly<Record<string, string>>;
  /** What became of the rows: read, used, dropped and truncated by reason, skipped. */
  readonly rows: object;
  readonly stepsPlanned: number;
  readonly stepsDone: number;
  readonly result?: object;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: object };
}

/** What is known when a run starts. */
export type RunStart = Omit<
  RunRecord,
  "formatVersion" | "status" | "started" | "finished" | "result" | "error" | "stepsDone"
>;

export interface RunFolderOptions {
  readonly folder: string;
  readonly clock: () => Date;
}

/**
 * Refuses a folder that already holds a run or cannot be written, before any work is done; creates nothing.
 * @throws ATTUNE_OUTPUT_EXISTS or ATTUNE_OUTPUT
 */
export async function checkOutput(folder: string): Promise<void> {
  for (const name of ["run.json", "metrics.jsonl", "config.yaml", "model"]) {
    if (existsSync(join(folder, name))) throw holdsRun(folder, name);
  }
  await checkWritable("output", folder);
}

/**
 * Refuses a folder that cannot be written or made; creates nothing. `option` is what the message calls it.
 * @throws ATTUNE_OUTPUT
 */
export async function checkWritable(option: string, folder: string): Promise<void> {
  const existing = nearestFolder(folder);
  if (!statSync(existing).isDirectory()) {
    const message = `Expected ${option} to be a folder, but ${existing} is a file. Choose another folder.`;
    throw fail("ATTUNE_OUTPUT", message, { details: { path: folder } });
  }
  try {
    await access(join(existing, "."), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** The path itself, or the closest parent that exists. */
function nearestFolder(folder: string): string {
  let existing = resolve(folder);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  return existing;
}

/**
 * Refuses a disk on which the trained model would not fit, before hours of work: the save would be the first to notice.
 * `bytes` is the size of the model's weights; `free` is a parameter for tests.
 * @throws ATTUNE_OUTPUT
 */
export async function checkFreeSpace(
  folder: string,
  bytes: number,
  free: (path: string) => Promise<number> = freeBytes,
): Promise<void> {
  const left = await free(nearestFolder(folder));
  if (left >= bytes) return;
  const size = (count: number) => `${(count / 1e9).toFixed(2)} GB`;
  const message =
    `Expected ${size(bytes)} of free space at ${folder} for the trained model but found ${size(left)}. ` +
    "Free some, or choose another output.";
  throw fail("ATTUNE_OUTPUT", message, { details: { path: folder, bytes, free: left } });
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function holdsRun(folder: string, found: string): AttuneError {
  return fail(
    "ATTUNE_OUTPUT_EXISTS",
    `Expected output to be a new or empty folder, but ${folder} already holds a run (${found}). ` +
      "Choose another folder, or remove this one if it is no longer needed.",
    { details: { folder, found } },
  );
}

/** An open run folder. `finish`, `interrupt` or `failed` writes the last run.json and closes the metrics. */
export class RunFolder {
  readonly folder: string;
  readonly metrics: MetricsWriter;
  readonly #clock: () => Date;
  readonly #metricsFile: number;
  #record: RunRecord;
  #open = true;

  private constructor(options: RunFolderOptions, start: RunStart, metricsFile: number) {
    this.folder = options.folder;
    this.#clock = options.clock;
    this.#metricsFile = metricsFile;
    this.metrics = new MetricsWriter(metricsFile, join(options.folder, "metrics.jsonl"));
    this.#record = {
      formatVersion: 1,
      status: "running",
      started: options.clock().toISOString(),
      stepsDone: 0,
      ...start,
    };
    this.#write();
  }

  /**
   * Creates the folder with config.yaml, an empty metrics.jsonl and run.json (status running); all of them or none.
   * @throws ATTUNE_OUTPUT when the folder cannot be written, ATTUNE_OUTPUT_EXISTS when another run was faster
   */
  static async create(options: RunFolderOptions, start: RunStart, config: string): Promise<RunFolder> {
    const { folder } = options;
    const path = (name: string) => join(folder, name);
    let made: readonly string[] = [];
    let file: number | undefined;
    try {
      made = makeFolder(resolve(folder));
      // First, and only if it is new: of two runs that begin at once, one gets the folder.
      file = openSync(path("metrics.jsonl"), "ax");
      replaceFile(path("config.yaml"), config);
      return new RunFolder(options, start, file);
    } catch (error) {
      if (file !== undefined) {
        closeSync(file);
        for (const name of ["metrics.jsonl", "config.yaml"]) rmSync(path(name), { force: true });
      }
      removeMade(made);
      const exists = (error as NodeJS.ErrnoException).code === "EEXIST" && existsSync(path("metrics.jsonl"));
      if (exists) throw holdsRun(folder, "metrics.jsonl");
      throw error instanceof AttuneError ? error : unwritable(folder, error);
    }
  }

  get modelFolder(): string {
    return join(this.folder, "model");
  }

  /** The record as it stands in run.json. */
  get record(): RunRecord {
    return this.#record;
  }

  /** Ends the run; `status` is done, or interrupted when it was stopped before its last step. */
  finish(status: "done" | "interrupted", stepsDone: number, result?: object): void {
    this.#end({ status, stepsDone, ...(result === undefined ? {} : { result }) });
  }

  /** Ends the run with an error; the cause stays in run.json. */
  failed(stepsDone: number, error: unknown): void {
    const code = error instanceof AttuneError ? error.code : "ATTUNE_INTERNAL";
    const details =
      error instanceof AttuneError && error.details !== undefined ? { details: error.details } : {};
    this.#end({ status: "failed", stepsDone, error: { code, message: reasonOf(error), ...details } });
  }

  #end(change: Partial<RunRecord>): void {
    if (!this.#open) return;
    this.#open = false;
    this.#record = { ...this.#record, ...change, finished: this.#clock().toISOString() };
    closeSync(this.#metricsFile);
    this.#write();
  }

  #write(): void {
    const path = join(this.folder, "run.json");
    try {
      replaceFile(path, `${JSON.stringify(this.#record, undefined, 2)}\n`);
    } catch (error) {
      throw unwritable(path, error);
    }
  }
}
