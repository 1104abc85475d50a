// What every training command does alike: flags and configuration in, `--print-config` and `--print-schema`, else a run
// that is followed. Must not know an algorithm.

import { Command } from "commander";
import { fail, reasonOf } from "../errors/index.js";
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
    const stray = new AbortController();
    const stopListening = terminal.onStrayError((error) => stray.abort(strayError(error, settings)));
    const run = options.start({
      ...settings,
      signal: stray.signal,
      ...(tensorboard === true ? { metricsSink: tensorboardSink() } : {}),
      report: async (folder: string) => {
        page.path = await writeRunReport(folder);
      },
    });
    try {
      const code = await followTraining({ run, terminal, json: json === true, report: () => page.path });
      // It may have come too late to end the run.
      stray.signal.throwIfAborted();
      ended(code);
    } finally {
      stopListening();
    }
  });
}

/** The run's failure where something threw that nobody waits for: a timer's callback, a promise let go. */
function strayError(error: unknown, settings: Readonly<Record<string, unknown>>) {
  const text = `Something outside the run threw: ${reasonOf(error)}.`;
  // Code of the user comes in as reward functions alone.
  if (settings.rewardFunction === undefined && settings.goldFunction === undefined)
    return fail("ATTUNE_INTERNAL", text, { cause: error });
  const advice = "A reward function must await all that it starts, so that errors reach its caller.";
  return fail("ATTUNE_REWARD", `${text} ${advice}`, { cause: error });
}
