#!/usr/bin/env node
// The program `attune`: gives the command line a real terminal and the process its exit code.
// Must not know a command.

import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal.js";

const code = await runCommandLine(process.argv.slice(2), processTerminal());
// A reward module may hold a timer or a connection that would keep the process alive: the command's end is its end. First a
// slow reader gets what was written; one that is gone ends the waiting too.
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
  ),
);
process.exit(code);
