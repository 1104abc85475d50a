// Where a command writes and what it listens to, as a parameter, so that tests can look on.
// Must not import any room.

import { createInterface } from "node:readline";

export interface Output {
  write(text: string): void;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Lines that somebody types or pipes in. */
export interface LineReader {
  /** The next line, asked for with `prompt` on a terminal; undefined at the end of the input. */
  next(prompt: string): Promise<string | undefined>;
  close(): void;
}

export interface Terminal {
  /** Results. */
  readonly stdout: Output;
  /** Progress and errors. */
  readonly stderr: Output;
  /** Whether a person types the input. */
  readonly interactive: boolean;
  /** Starts reading standard input; while it does, Ctrl-C reaches the listeners of `onInterrupt` as ever. */
  readLines(): LineReader;
  /** ATTUNE_DEBUG set: errors carry their stack. */
  readonly debug: boolean;
  /** Calls back at every Ctrl-C; returns the function that stops listening. */
  onInterrupt(listener: () => void): () => void;
  /** Calls back with every error that nobody caught; returns the function that stops listening. */
  onStrayError(listener: (error: unknown) => void): () => void;
  /** Calls back once nobody reads standard output any more (`| head`); returns the function that stops listening. */
  onOutputClosed(listener: () => void): () => void;
  /** Ends the process at once. */
  quit(code: number): void;
}

/** The logger of a command's engines: what somebody should know goes to standard error, such as why the CPU is used. */
export function engineLogger({ stderr }: Pick<Terminal, "stderr">): { warn(text: string): void } {
  return { warn: (text) => stderr.write(`${text}\n`) };
}

/** The real terminal of this process. A reader that closes its pipe ends the output, not what is being done. */
export function processTerminal(): Terminal {
  const closed = new Set<() => void>();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (stream === process.stdout) for (const listener of closed) listener();
    });
  }
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    interactive: process.stdin.isTTY === true,
    readLines: () => readLines(process.stdin, process.stdout),
    debug: Boolean(process.env.ATTUNE_DEBUG),
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      process.on("SIGTERM", listener);
      return () => {
        process.off("SIGINT", listener);
        process.off("SIGTERM", listener);
      };
    },
    onStrayError(listener) {
      process.on("uncaughtException", listener);
      process.on("unhandledRejection", listener);
      return () => {
        process.off("uncaughtException", listener);
        process.off("unhandledRejection", listener);
      };
    },
    onOutputClosed(listener) {
      closed.add(listener);
      return () => closed.delete(listener);
    },
    quit: (code) => process.exit(code),
  };
}

function readLines(input: NodeJS.ReadStream, output: NodeJS.WriteStream): LineReader {
  const typed = input.isTTY === true;
  const lines = createInterface({ input, ...(typed ? { output } : {}), terminal: typed });
  const waiting: string[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  lines.on("line", (line) => {
    waiting.push(line);
    wake?.();
  });
  lines.on("close", () => {
    ended = true;
    wake?.();
  });
  // On a terminal readline takes the key; handing it on makes one way for both.
  lines.on("SIGINT", () => process.emit("SIGINT"));
  return {
    async next(prompt) {
      if (typed && waiting.length === 0 && !ended) {
        lines.setPrompt(prompt);
        lines.prompt();
      }
      while (waiting.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return waiting.shift();
    },
    close: () => lines.close(),
  };
}
