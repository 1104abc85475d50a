// Measures suites in processes of their own, one at a time and in changing order, the peaks first. Must not print.

import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../errors/index.js";
import { machineLine, versions } from "../train/index.js";
import type { BenchAnswer, BenchRequest } from "./bench-child.js";
import { type BenchRow, type Peaks, peaksOf, rowsOf, type Trial } from "./bench-report.js";
import { type BenchSuite, peakSuite } from "./bench-suites.js";

export interface BenchReport {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly date: string;
  readonly isa: string;
  readonly threads: number;
  /** Name of the GPU that was measured; its peak is not. */
  readonly gpu?: string;
  readonly trials: number;
  readonly quick: boolean;
  /** Load of one minute before each trial: what else ran. */
  readonly loads: readonly number[];
  readonly peak: Peaks;
  readonly rows: readonly BenchRow[];
}

export interface BenchOptions {
  readonly suites: readonly BenchSuite[];
  readonly trials: number;
  readonly quick?: boolean | undefined;
  /** Default "cpu". */
  readonly device?: "cpu" | "cuda" | undefined;
  readonly threads?: number | undefined;
  readonly isa?: string | undefined;
  readonly signal?: AbortSignal;
  /** Called before the first process and after each: how many are over and how many there are. */
  readonly onProcess?: (done: number, total: number) => void;
}

/** Rejects with the signal's reason, or with what went wrong in a process. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { suites, trials, quick = false, device = "cpu", onProcess } = options;
  const peaks = device === "cpu" ? [peakSuite] : [];
  const folder = await mkdtemp(join(tmpdir(), "attune-bench-"));
  const measured: Trial[] = [];
  const loads: number[] = [];
  const total = trials * (suites.length + peaks.length);
  onProcess?.(0, total);
  try {
    for (let trial = 0; trial < trials; trial++) {
      loads.push(Number((loadavg()[0] ?? 0).toFixed(2)));
      // What slows a machine down for a while should not always meet the same suite.
      const order = trial % 2 === 0 ? suites : suites.toReversed();
      for (const { name } of [...peaks, ...order]) {
        const place = join(folder, `${measured.length}`);
        measured.push(await measureApart(name, place, options));
        onProcess?.(measured.length, total);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const [first] = measured;
  if (first === undefined) throw new Error("nothing was measured");
  const isPeak = ({ suite }: Trial) => suite === peakSuite.name;
  const peak = peaksOf(measured.filter(isPeak));
  return {
    machine: machineLine(),
    versions: versions(),
    date: new Date().toISOString(),
    isa: first.isa,
    threads: first.threads,
    ...(first.gpu === undefined ? {} : { gpu: first.gpu }),
    trials,
    quick,
    loads,
    peak,
    rows: rowsOf(
      measured.filter((trial) => !isPeak(trial)),
      peak,
    ),
  };
}

async function measureApart(suite: string, folder: string, options: BenchOptions): Promise<Trial> {
  const { device = "cpu", threads, quick = false, isa, signal } = options;
  signal?.throwIfAborted();
  const request: BenchRequest = {
    suite,
    device,
    quick,
    folder,
    ...(threads === undefined ? {} : { threads }),
  };
  const source = import.meta.url.endsWith(".ts");
  const file = fileURLToPath(new URL(source ? "./bench-child.ts" : "./bench-child.js", import.meta.url));
  const child = fork(file, [JSON.stringify(request)], {
    execArgv: source ? ["--import", "tsx"] : [],
    env: { ...process.env, ...(isa === undefined ? {} : { ATTUNE_ISA: isa }) },
    silent: true,
  });
  const stop = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const answer = await answerOf(child, suite);
    if ("trial" in answer) return answer.trial;
    throw fail(answer.code, answer.message);
  } catch (error) {
    // Ctrl-C of a terminal reaches the child too, perhaps before this process has heard of it.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function answerOf(child: ChildProcess, suite: string): Promise<BenchAnswer> {
  let answer: BenchAnswer | undefined;
  let said = "";
  child.stderr?.on("data", (piece: Buffer) => {
    said += piece.toString();
  });
  child.on("message", (message) => {
    answer = message as BenchAnswer;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (answer !== undefined) return resolve(answer);
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const lastWords = said.trim().split("\n").at(-1) ?? "";
      reject(fail("ATTUNE_INTERNAL", `The process that measured ${suite} ${how}. ${lastWords}`.trim()));
    });
  });
}
