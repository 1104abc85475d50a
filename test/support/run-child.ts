// Runs a TypeScript file as a process of its own and keeps how it ended. Must not know what it does.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

/** `child`: name of a file in test/engine/children. `onOutput` is called at each piece of standard output. */
export function runChild(
  child: string,
  args: readonly string[],
  onOutput: (started: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const file = fileURLToPath(new URL(`../engine/children/${child}.ts`, import.meta.url));
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, ["--expose-gc", "--import=tsx", file, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    started.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
      onOutput(started);
    });
    started.stderr.on("data", (chunk: Buffer) => {
      errors += chunk;
    });
    started.on("error", reject);
    started.on("close", (code, signal) => resolve({ code, signal, output, errors }));
  });
}
