// Starts the service and its simulated annotators as processes of their own, so that neither takes the other's time.
// Must not know what is measured.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WorkDone, WorkingAnnotators } from "./annotators-process.js";

export interface Service {
  readonly port: number;
  readonly pid: number;
  /** Ends as the service does when it is asked to. */
  stop(): Promise<void>;
  /** As a loss of power to the process. */
  kill(): Promise<void>;
}

export interface StartService {
  readonly store: string;
  readonly callsPerMinute?: number;
}

function startFile(name: string, args: readonly string[]): ChildProcess {
  const file = fileURLToPath(new URL(name, import.meta.url));
  return spawn(process.execPath, ["--import", "tsx", file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

export async function startService({ store, callsPerMinute = 1_000_000 }: StartService): Promise<Service> {
  const child = startFile("service-process.ts", [store, String(callsPerMinute)]);
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (piece: Buffer) => {
      text += piece;
      const found = /listening (\d+)/.exec(text)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    void ended.then(() => reject(new Error("the service ended before it listened")));
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { port, pid: child.pid ?? 0, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}

export async function runAnnotators(options: WorkingAnnotators): Promise<WorkDone> {
  const child = startFile("annotators-process.ts", [JSON.stringify(options)]);
  const pieces: Buffer[] = [];
  child.stdout?.on("data", (piece: Buffer) => pieces.push(piece));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`the annotators' process ended with ${code}`);
  return JSON.parse(Buffer.concat(pieces).toString()) as WorkDone;
}

/** Of a running process, in bytes: what it holds now, and the most it ever held. */
export function residentOf(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (name: string) => 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { now: bytes("VmRSS"), most: bytes("VmHWM") };
}

/** "p50 3.1, p95 8.0, p99 12.4, most 30.2 ms" */
export function latencyText(milliseconds: readonly number[]): string {
  const sorted = Float64Array.from(milliseconds).sort();
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, most ${at(1)} ms`;
}

export function quantileOf(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
