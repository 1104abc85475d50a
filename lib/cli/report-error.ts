// Renders what went wrong as one clear message and gives the exit code. Must not know a command.

import { CommanderError } from "commander";
import { AttuneError, reasonOf } from "../errors/index.js";
import type { Terminal } from "./terminal.js";

/** Exit codes of the command line: 0 done, 1 failed, 2 wrong usage or data, 130 interrupted after saving. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Writes the message to standard error; the stack too where ATTUNE_DEBUG is set. */
export function reportError(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done;
    terminal.stderr.write(`attune: ${error.message.replace(/^error: /, "")} [ATTUNE_OPTION]\n`);
    return exitCodes.usage;
  }
  const known = error instanceof AttuneError;
  // Stopped before there was anything to save.
  if (known && error.code === "ATTUNE_ABORTED") {
    terminal.stderr.write(`attune: ${error.message} [${error.code}]\n`);
    return exitCodes.interrupted;
  }
  const code = known ? error.code : "ATTUNE_INTERNAL";
  terminal.stderr.write(`attune: ${reasonOf(error)} [${code}]\n`);
  if (terminal.debug && error instanceof Error) terminal.stderr.write(`${stackOf(error)}\n`);
  else if (code === "ATTUNE_INTERNAL")
    terminal.stderr.write("This is a defect of attune. ATTUNE_DEBUG=1 shows where it happened.\n");
  return known ? error.exitCode : exitCodes.failed;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
