// `attune bench`: how fast kernels and whole steps are here, and how much of what the machine can do that is.

import { Command } from "commander";
import { fail } from "../errors/index.js";
import { type BenchSettings, commandSchemas } from "../options/index.js";
import { runBench } from "./bench-run.js";
import { chosenSuites } from "./bench-suites.js";
import { benchText } from "./bench-table.js";
import { addFlags, givenOptions } from "./flags.js";
import { table } from "./format.js";
import { createPhaseProgress } from "./phase-progress.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const help = `
SUITE is one of those that --list names; without any, all are measured, in about one minute. Each trial of a suite is a process of
its own. Nothing else should run on the machine meanwhile: the spread shows where something did. Of a GPU the rates alone are shown: its peaks are not measured.

Examples:
  attune bench
  attune bench gemm attention --trials 5 --threads 1
  attune bench --device cuda
  attune bench --json`;

export function benchCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("bench")
    .summary("how fast kernels and whole steps are here, and what share of the machine's peak")
    .description(
      "Measures what this machine can do at most, then kernels and whole steps of a toy model, and shows their share of it.",
    )
    .argument("[suites...]", "suites to measure")
    .usage("[SUITE...] [options]")
    .addHelpText("after", help);
  addFlags(command, commandSchemas.bench);
  return command.action(async (names: readonly string[]) => {
    const settings = givenOptions(command, commandSchemas.bench).resolved;
    ended(await bench(names, settings, terminal));
  });
}

async function bench(names: readonly string[], settings: BenchSettings, terminal: Terminal): Promise<number> {
  const { trials, quick, device, isa, threads, list, json } = settings;
  if (device === "cuda" && isa !== undefined) {
    const text = `Expected --isa with --device cpu, whose instruction sets they are, but received --isa ${isa} with --device cuda.`;
    throw fail("ATTUNE_OPTION", `${text} Leave one of them out.`);
  }
  const suites = chosenSuites(names);
  if (list) {
    const named = suites.map(({ name, what }) => ({ name, what }));
    const rows = named.map(({ name, what }) => [name, what]);
    terminal.stdout.write(
      json ? `${JSON.stringify(named)}\n` : `${table([["suite", "measures"], ...rows])}\n`,
    );
    return exitCodes.done;
  }
  const controller = new AbortController();
  const { signal } = controller;
  const stopListening = terminal.onInterrupt(() => controller.abort());
  const progress = createPhaseProgress(terminal.stderr);
  try {
    const report = await runBench({
      suites,
      trials,
      quick,
      device,
      isa,
      threads,
      signal,
      onProcess: (done, total) => progress.show("processes that measured", done, total),
    });
    progress.end();
    terminal.stdout.write(json ? `${JSON.stringify(report)}\n` : benchText(report));
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.end();
    terminal.stderr.write("Interrupted; nothing was measured to the end.\n");
    return exitCodes.interrupted;
  } finally {
    progress.end();
    stopListening();
  }
}
