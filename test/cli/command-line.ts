// Runs the command line inside the test's process and keeps what it wrote. Must not touch the process.

import { runCommandLine } from "../../lib/cli/program.js";
import type { LineReader, Terminal } from "../../lib/cli/terminal.js";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit codes with which the process would have been ended at once. */
  readonly quits: readonly number[];
}

export interface CommandLineOptions {
  /** Called with everything written to standard error so far, after each piece. */
  readonly onProgress?: (stderr: string, interrupt: () => void) => void;
  readonly isTTY?: boolean;
  readonly debug?: boolean;
  /** Lines of standard input. */
  readonly input?: readonly string[];
  /** Called with everything written to standard output so far, after each piece. */
  readonly onOutput?: (stdout: string, interrupt: () => void) => void;
  /** Called when a line is asked for and none is left, instead of ending the input. */
  readonly onWaiting?: (interrupt: () => void) => void;
}

export async function commandLine(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const quits: number[] = [];
  const listeners = new Set<() => void>();
  const interrupt = () => {
    for (const listener of listeners) listener();
  };
  const terminal: Terminal = {
    stdout: {
      columns: 100,
      write(text) {
        stdout += text;
        options.onOutput?.(stdout, interrupt);
      },
    },
    stderr: {
      isTTY: options.isTTY ?? false,
      columns: 100,
      write(text) {
        stderr += text;
        options.onProgress?.(stderr, interrupt);
      },
    },
    debug: options.debug ?? false,
    interactive: false,
    readLines: () => lineReader(options, interrupt),
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onStrayError: () => () => undefined,
    onOutputClosed: () => () => undefined,
    quit: (code) => quits.push(code),
  };
  const code = await runCommandLine(args, terminal);
  return { code, stdout, stderr, quits };
}

function lineReader({ input = [], onWaiting }: CommandLineOptions, interrupt: () => void): LineReader {
  const lines = [...input];
  return {
    next() {
      if (lines.length > 0 || onWaiting === undefined) return Promise.resolve(lines.shift());
      setImmediate(() => onWaiting(interrupt));
      return new Promise(() => undefined);
    },
    close: () => undefined,
  };
}
