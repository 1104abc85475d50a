// `attune report`: runs in, one page out, and pictures where asked for.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { fail } from "../errors/index.js";
import { commandSchemas } from "../options/index.js";
import { writeReport } from "../report/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const help = `
RUN is the --output of a training command, or a folder of such folders. Training commands write the report of their own
run by themselves, as OUTPUT/report.html. JSON files of attune evaluate that lie in RUN (--output RUN/evaluation.json) are
shown too.

Examples:
  attune report runs/dpo
  attune report runs/sft runs/dpo --output compared.html
  attune report runs/dpo --png plots`;

export function reportCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("report")
    .summary("curves, tables and answers of runs as one HTML file")
    .description(
      "Writes one page about one run or several: it opens from the disk and asks no network for anything.",
    )
    .argument("[runs...]", "folders of runs")
    .usage("RUN... [options]")
    .addHelpText("after", help);
  addFlags(command, commandSchemas.report);
  return command.action(async (runs: readonly string[]) => {
    const { output, png, svg, json } = givenOptions(command, commandSchemas.report).resolved;
    if (runs.length === 0)
      throw fail("ATTUNE_OPTION", "report needs the folder of a run. For example: attune report runs/dpo");
    const result = await writeReport({ runs, output: output ?? defaultOutput(runs), png, svg });
    for (const warning of result.warnings) terminal.stderr.write(`${warning}\n`);
    terminal.stdout.write(json ? `${JSON.stringify(result)}\n` : summary(result));
    ended(exitCodes.done);
  });
}

function defaultOutput(runs: readonly string[]): string {
  const [only] = runs;
  const single = runs.length === 1 && only !== undefined && existsSync(join(only, "metrics.jsonl"));
  return single ? join(only, "report.html") : "report.html";
}

function summary({ page, runs, pictures }: Awaited<ReturnType<typeof writeReport>>): string {
  const plots = pictures.length === 0 ? "" : `${pictures.length} plots: ${pictures.join(" ")}\n`;
  return `report of ${runs.join(", ")}: ${page}\n${plots}`;
}
