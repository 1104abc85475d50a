// The folder of a run: config.yaml, run.json, metrics.jsonl and the model. Nothing is written before `create`.
// Must not use an engine or import a trainer's loop.

import { closeSync, existsSync, openSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeFolder, removeMade } from "../engine/make-folder.js";
import { AttuneError, reasonOf } from "../errors/index.js";
import { MetricsWriter } from "./metrics.js";
import { cutLines, replaceFile, unwritable } from "./run-files.js";
import { RunLock } from "./run-lock.js";
import { holdsRun } from "./taken-output.js";

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
  /** The same of a file of evaluation rows. */
  readonly evaluationRows?: object;
  readonly stepsPlanned: number;
  readonly stepsDone: number;
  readonly result?: object;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: object };
  /** Each time the run went on from a checkpoint. */
  readonly resumes?: readonly ResumeEntry[];
}

export interface ResumeEntry {
  readonly date: string;
  /** Step of the checkpoint. */
  readonly step: number;
  /** What differed from the checkpoint, by `--allow-changes`. */
  readonly changes: readonly string[];
}

/** What is known when a run starts. */
export type RunStart = Omit<
  RunRecord,
  "formatVersion" | "status" | "started" | "finished" | "result" | "error" | "stepsDone" | "resumes"
>;

export interface RunFolderOptions {
  readonly folder: string;
  readonly clock: () => Date;
}

/** What a run that goes on finds in its folder. */
export interface Reopen {
  readonly record: RunRecord;
  /** Held already: nothing was looked at before. Released at the end. */
  readonly lock: RunLock;
  readonly step: number;
  readonly changes: readonly string[];
  /** Whether a line of metrics.jsonl stays. */
  readonly keepLine: (line: Readonly<Record<string, unknown>>) => boolean;
}

/** An open run folder. `finish`, `interrupt` or `failed` writes the last run.json and closes the metrics. */
export class RunFolder {
  readonly folder: string;
  readonly metrics: MetricsWriter;
  readonly #clock: () => Date;
  readonly #metricsFile: number;
  readonly #lock: RunLock;
  #record: RunRecord;
  #open = true;

  private constructor(options: RunFolderOptions, record: RunRecord, metricsFile: number, lock: RunLock) {
    this.folder = options.folder;
    this.#clock = options.clock;
    this.#metricsFile = metricsFile;
    this.metrics = new MetricsWriter(metricsFile, join(options.folder, "metrics.jsonl"));
    this.#lock = lock;
    this.#record = record;
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
    let lock: RunLock | undefined;
    try {
      made = makeFolder(resolve(folder));
      // First, and only if it is new: of two runs that begin at once, one gets the folder.
      file = openSync(path("metrics.jsonl"), "ax");
      lock = RunLock.acquire(folder);
      replaceFile(path("config.yaml"), config);
      const started = options.clock().toISOString();
      const record = { formatVersion: 1, status: "running", started, stepsDone: 0, ...start } as const;
      return new RunFolder(options, record, file, lock);
    } catch (error) {
      if (file !== undefined) {
        closeSync(file);
        for (const name of ["metrics.jsonl", "config.yaml"]) rmSync(path(name), { force: true });
      }
      lock?.release();
      removeMade(made);
      const exists = (error as NodeJS.ErrnoException).code === "EEXIST" && existsSync(path("metrics.jsonl"));
      if (exists) throw holdsRun(folder, "metrics.jsonl");
      throw error instanceof AttuneError ? error : unwritable(folder, error);
    }
  }

  /**
   * Opens a folder of a run that goes on: metrics.jsonl loses the lines after the checkpoint, run.json says running.
   * The lock is let go when this fails.
   * @throws ATTUNE_OUTPUT
   */
  static reopen(options: RunFolderOptions, start: RunStart, config: string, from: Reopen): RunFolder {
    const path = (name: string) => join(options.folder, name);
    const { record, lock, step, changes, keepLine } = from;
    const { finished: _, error: __, result: ___, ...kept } = record;
    const resume = { date: options.clock().toISOString(), step, changes };
    try {
      cutLines(path("metrics.jsonl"), keepLine);
      replaceFile(path("config.yaml"), config);
      const file = openSync(path("metrics.jsonl"), "a");
      const resumes = [...(record.resumes ?? []), resume];
      const renewed = { ...kept, ...start, status: "running", stepsDone: step, resumes } as const;
      return new RunFolder(options, renewed, file, lock);
    } catch (error) {
      lock.release();
      throw error instanceof AttuneError ? error : unwritable(options.folder, error);
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
    try {
      this.#write();
    } finally {
      this.#lock.release();
    }
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
