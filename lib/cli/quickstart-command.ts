// `attune quickstart`: the main job on the embedded toy world, ending in a small table and a report.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { reasonOf } from "../errors/index.js";
import { commandSchemas } from "../options/index.js";
import { writeReport } from "../report/index.js";
import { type QuickstartResult, quickstart } from "../world/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { duration, table } from "./format.js";
import { createProgress } from "./progress.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";
import { stopOnInterrupt } from "./train-command.js";

export function quickstartCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("quickstart")
    .summary("train a tiny model on an embedded toy world, in under a minute")
    .description(
      "Writes a tiny random model and a toy world of customers and clerks, teaches it by demonstrations (sft), " +
        "then by preference pairs (dpo), and measures both on rows it never saw.",
    )
    .addHelpText("after", "\nExample:\n  attune quickstart --output runs/toy --seed 1");
  addFlags(command, commandSchemas.quickstart);
  return command.action(async () => {
    const { json, output, seed, threads } = givenOptions(command, commandSchemas.quickstart).resolved;
    const progress = createProgress(terminal.stderr);
    const runs: { stop(): Promise<unknown> }[] = [];
    const stopListening = stopOnInterrupt(runs, terminal, progress.note);
    try {
      const result = await quickstart({
        output: output ?? nextFolder("runs"),
        seed,
        ...(threads === undefined ? {} : { threads }),
        onRun: (run) => runs.splice(0, runs.length, run),
        onEvent: (_, event) => progress.show(event),
      });
      progress.end();
      const report = await writtenReport(result.output, terminal);
      terminal.stdout.write(json ? `${JSON.stringify({ ...result, report })}\n` : summary(result, report));
      ended(result.status === "done" ? exitCodes.done : exitCodes.interrupted);
    } finally {
      progress.end();
      stopListening();
    }
  });
}

/** Both runs on one page; a report that fails does not undo what was learned. */
async function writtenReport(output: string, terminal: Terminal): Promise<string | undefined> {
  try {
    return (await writeReport({ runs: [output], output: join(output, "report.html") })).page;
  } catch (error) {
    terminal.stderr.write(`warning: the report was not written: ${reasonOf(error)}\n`);
    return undefined;
  }
}

/** The first of runs/quickstart-1, -2, … that does not exist. */
function nextFolder(parent: string): string {
  for (let number = 1; ; number++) {
    const folder = join(parent, `quickstart-${number}`);
    if (!existsSync(folder)) return folder;
  }
}

function summary(result: QuickstartResult, report: string | undefined): string {
  const { loss, accuracy, rewardAccuracy } = result;
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const rows = [
    ["on rows nobody trained on", "before", "after"],
    ["sft: loss per token (nats)", loss.before.toFixed(3), loss.after.toFixed(3)],
    ["dpo: better answer preferred", percent(accuracy.before), percent(accuracy.after)],
  ];
  return [
    table(rows),
    "",
    `reward accuracy in the last dpo step: ${percent(rewardAccuracy)}`,
    `${result.status} in ${duration(result.seconds)}; everything is in ${result.output}`,
    `the trained model: ${result.model}`,
    ...(report === undefined ? [] : [`curves, answers before and after, settings: ${report}`]),
    "",
  ].join("\n");
}
