#!/usr/bin/env node
// The program `attune`: gives the command line a real terminal and the process its exit code.
// Must not know a command.

import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal.js";

// A reader that closes its pipe (`| head`) ends the output, not the training.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
