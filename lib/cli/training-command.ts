// What every training command does alike: flags and configuration in, `--print-config` and `--print-schema`, else a run
// that is followed. Must not know an algorithm.

import { Command } from "commander";
import type { commandSchemas } from "../options/index.js";
import { tensorboardSink, writeRunReport } from "../report/index.js";
import type { SharedMetrics, TrainRun } from "../train/index.js";
import { addFlags, givenOptions } from "./flags.js";
import { printOptions } from "./print-options.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";
import { followTraining } from "./train-command.js";

/** Commands that train. */
export type TrainingName = Extract<
  keyof typeof commandSchemas,
  "sft" | "dpo" | "kto" | "reward" | "ppo" | "rloo" | "grpo" | "online-dpo"
>;

export interface TrainingCommandOptions<Metrics extends SharedMetrics> {
  readonly name: TrainingName;
  readonly summary: string;
  readonly description: string;
  /** Rows and an example, behind the options. */
  readonly help: string;
  readonly schema: (typeof commandSchemas)[TrainingName];
  /** Starts the run; what the schema checked are its options. */
  readonly start: (options: Readonly<Record<string, unknown>>) => TrainRun<Metrics>;
  readonly terminal: Terminal;
  readonly ended: (code: number) => void;
}

export function trainingCommand<Metrics extends SharedMetrics>(
  options: TrainingCommandOptions<Metrics>,
): Command {
  const { name, schema, terminal, ended } = options;
  const command = new Command(name)
    .summary(options.summary)
    .description(options.description)
    .addHelpText("after", options.help);
  addFlags(command, schema);
  return command.action(async () => {
    if (printOptions(name, command, terminal)) return ended(exitCodes.done);
    const { given } = givenOptions(command, schema);
    const { config: _, json, printConfig: __, printSchema: ___, tensorboard, ...settings } = given;
    const page: { path?: string } = {};
    const run = options.start({
      ...settings,
      ...(tensorboard === true ? { metricsSink: tensorboardSink() } : {}),
      report: async (folder: string) => {
        page.path = await writeRunReport(folder);
      },
    });
    ended(await followTraining({ run, terminal, json: json === true, report: () => page.path }));
  });
}
