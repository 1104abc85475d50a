// Where a command writes and what it listens to, as a parameter, so that tests can look on.
// Must not import any room.

export interface Output {
  write(text: string): void;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Terminal {
  /** Results. */
  readonly stdout: Output;
  /** Progress and errors. */
  readonly stderr: Output;
  /** ATTUNE_DEBUG set: errors carry their stack. */
  readonly debug: boolean;
  /** Calls back at every Ctrl-C; returns the function that stops listening. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the process at once. */
  quit(code: number): void;
}

/** The real terminal of this process. */
export function processTerminal(): Terminal {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    debug: Boolean(process.env.ATTUNE_DEBUG),
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      process.on("SIGTERM", listener);
      return () => {
        process.off("SIGINT", listener);
        process.off("SIGTERM", listener);
      };
    },
    quit: (code) => process.exit(code),
  };
}
