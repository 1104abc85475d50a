#!/usr/bin/env node
// The program `attune`: gives the command line a real terminal and the process its exit code.
// Must not know a command.

import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal.js";

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
