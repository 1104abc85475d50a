// `attune build`: compiles the addon from the shipped sources, for machines without a prebuilt package.
// Must not load the addon: it may not be there yet.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { fail } from "../errors/index.js";
import { commandSchemas } from "../options/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const example = `
Needs a C++20 compiler, CMake with make (or Python 3 with make), and two packages of npm; it names what is missing.

Example:
  npm i -D cmake-js node-addon-api
  npx attune build`;

export function buildCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("build")
    .summary("compile the native addon from the shipped sources")
    .description(
      "Compiles the native addon from the sources in this package and puts it where it is looked for.",
    )
    .addHelpText("after", example);
  addFlags(command, commandSchemas.build);
  return command.action(async () => {
    const { tool } = givenOptions(command, commandSchemas.build).resolved;
    const root = dirname(createRequire(import.meta.url).resolve("../../package.json"));
    const script = join(root, "native", "build.mjs");
    if (!existsSync(script))
      throw fail("ATTUNE_FILE", `Expected the sources of the addon in ${root} but ${script} is missing.`);
    const args = [script, ...(tool === undefined ? [] : [`--tool=${tool}`])];
    const code = await outcome(args, terminal);
    ended(code === 0 ? exitCodes.done : exitCodes.failed);
  });
}

/** Runs the build and passes on what it says. */
function outcome(args: readonly string[], terminal: Terminal): Promise<number | null> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", (piece: Buffer) => terminal.stdout.write(piece.toString()));
  child.stderr.on("data", (piece: Buffer) => terminal.stderr.write(piece.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
}
