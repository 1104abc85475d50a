// Runs the program as a process of its own and keeps how it ended.

import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "lib", "cli", "main.ts");

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Watching {
  /** Sees standard error as it grows. */
  readonly onText?: (text: string, child: ChildProcess) => void;
  /** Called at every piece of standard output. */
  readonly onOutput?: (child: ChildProcess) => void;
}

export function runProgram(
  args: readonly string[],
  { onText = () => undefined, onOutput = () => undefined }: Watching = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stderr?.on("data", (piece: Buffer) => {
    stderr += piece.toString();
    onText(stderr, child);
  });
  child.stdout?.on("data", (piece: Buffer) => {
    stdout += piece.toString();
    onOutput(child);
  });
  return new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
}
