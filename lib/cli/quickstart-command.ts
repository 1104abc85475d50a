// `attune quickstart`: the whole pipeline on the embedded toy world, ending in a table, a report and what to try next.
// Must not train or measure.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { reasonOf } from "../errors/index.js";
import { commandSchemas } from "../options/index.js";
import { writeReport } from "../report/index.js";
import { type PolicyRow, type QuickstartResult, quickstart, runSettings } from "../world/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { duration, table } from "./format.js";
import { createProgress } from "./progress.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";
import { stopOnInterrupt } from "./train-command.js";

export function quickstartCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("quickstart")
    .summary("the whole of RLHF with a tiny model on an embedded toy world, in under three minutes")
    .description(
      "Pre-trains a tiny random model, teaches it by demonstrations (sft), has simulated annotators judge its answers, trains a " +
        "reward model, then policies by PPO, PPO-ptx, DPO, IPO, KTO and best-of-N, and compares them on prompts they never saw.",
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
        logger: { warn: (text) => progress.note(text) },
        onStart: (control) => runs.push(control),
        onStage: ({ number, count, text }) => progress.note(`stage ${number} of ${count}: ${text}`),
        onEvent: (event) => progress.show(event),
      });
      progress.end();
      const report = await writtenReport(result.output, terminal);
      terminal.stdout.write(json ? `${JSON.stringify(jsonOf(result, report))}\n` : summary(result, report));
      ended(result.status === "done" ? exitCodes.done : exitCodes.interrupted);
    } finally {
      progress.end();
      stopListening();
    }
  });
}

/** All runs on one page; a report that fails does not undo what was learned. */
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

function jsonOf(result: QuickstartResult, report: string | undefined) {
  const { status, output, seed, prompts, table: rows, seconds } = result;
  return { status, output, seed, prompts, table: rows, report, next: nextCommands(result), seconds };
}

function summary(result: QuickstartResult, report: string | undefined): string {
  const { status, output, prompts, table: rows, seconds } = result;
  const lines = [`${status} in ${duration(seconds)}; everything is in ${output}`];
  if (rows.length > 0)
    lines.unshift(
      `One answer to each of ${prompts} prompts that nobody trained on:`,
      "",
      table([headings, ...rows.map(cellsOf)]),
      "",
      "true reward: what answers are worth (-2 to 4), hidden from annotators and reward model; proxy: the reward model's score;",
      "win rate: by true reward against the SFT model, with its 95 % interval; KL: nats per answer to the SFT model.",
      "",
    );
  if (report !== undefined)
    lines.push(`curves, over-optimisation, answers before and after, settings: ${report}`);
  if (status === "done")
    lines.push("", "Try next:", ...nextCommands(result).map((command) => `  ${command}`));
  return `${lines.join("\n")}\n`;
}

const headings = ["policy", "true reward", "proxy", "win rate (95 %)", "KL", "length"];

function cellsOf({
  policy,
  trueReward,
  proxyReward,
  winRate,
  winRateInterval,
  kl,
  length,
}: PolicyRow): string[] {
  const percent = (share: number) => (100 * share).toFixed(0);
  const won =
    winRate === undefined || winRateInterval === undefined
      ? "-"
      : `${percent(winRate)} % (${percent(winRateInterval.low)} to ${percent(winRateInterval.high)} %)`;
  return [policy, trueReward.toFixed(2), proxyReward.toFixed(2), won, kl.toFixed(2), length.toFixed(1)];
}

/** What to do with the files that lie there now: ask, see a policy over-optimise, and compare the runs. */
function nextCommands({ output, files }: QuickstartResult): readonly string[] {
  const { beta, learningRate, maxSteps } = runSettings.ppoWithoutKl;
  const withoutKl = [
    `--config ${quoted(join(files.run("ppo"), "config.yaml"))} --beta ${beta} --learning-rate ${learningRate} --max-steps ${maxSteps}`,
    `--gold-function ${quoted(files.trueReward)} --output ${quoted(join(output, "ppo-without-kl"))}`,
  ].join(" ");
  const question = `$'Ada: What does the red lamp cost?\\nClerk:'`;
  return [
    `npx attune generate --model ${quoted(files.model("ppo"))} --prompt ${question} --temperature 1`,
    `npx attune ppo ${withoutKl}`,
    `npx attune report ${quoted(output)} --output ${quoted(join(output, "report.html"))}`,
  ];
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
