// Follows a training run on the command line: progress, Ctrl-C, the summary. Must not know an algorithm.

import type { SharedMetrics, TrainResult, TrainRun } from "../train/index.js";
import { duration, short, table } from "./format.js";
import { createProgress } from "./progress.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

export interface FollowOptions<Metrics> {
  readonly run: TrainRun<Metrics>;
  readonly terminal: Terminal;
  /** Print the summary as JSON. */
  readonly json: boolean;
  /** The page about the run, once it is written. */
  readonly report: () => string | undefined;
}

/** The exit code of a run that ended; its error is thrown. */
export async function followTraining<Metrics extends SharedMetrics>(
  options: FollowOptions<Metrics>,
): Promise<number> {
  const { run, terminal, json, report } = options;
  const progress = createProgress(terminal.stderr);
  const stopListening = stopOnInterrupt([run], terminal, progress.note);
  try {
    for await (const event of run) progress.show(event);
    const result = await run.result;
    progress.end();
    const page = report();
    terminal.stdout.write(json ? `${JSON.stringify({ ...result, report: page })}\n` : summary(result, page));
    return result.status === "done" ? exitCodes.done : exitCodes.interrupted;
  } finally {
    progress.end();
    stopListening();
  }
}

/** First Ctrl-C: finish the step and save. Second: quit at once. `runs` may grow while it listens. */
export function stopOnInterrupt(
  runs: readonly { stop(): Promise<unknown> }[],
  terminal: Terminal,
  note: (text: string) => void,
): () => void {
  let asked = false;
  return terminal.onInterrupt(() => {
    if (asked) {
      terminal.quit(exitCodes.interrupted);
      return;
    }
    asked = true;
    note("Finishing this step, then saving. Ctrl-C again quits at once, without saving.");
    // Its end and its errors are seen by whoever follows the run.
    for (const run of runs) run.stop().catch(() => undefined);
  });
}

/** What a run is judged by, where it has it; the proxy score is the reward of answers to evaluation prompts. */
const shownMetrics = [
  "loss",
  "grad_norm",
  "mean_token_accuracy",
  "reward",
  "overopt/gold",
  "overopt/win_rate",
  "objective/kl",
  "kl",
  "completions/mean_length",
  "completions/clipped_ratio",
  "rewards/accuracies",
  "rewards/margins",
  "accuracy",
  "margin",
  "mean_reward",
];

/** First and last step side by side, first and last evaluation too, then where everything is. */
function summary<Metrics extends SharedMetrics>(
  result: TrainResult<Metrics>,
  page: string | undefined,
): string {
  const rowsOf = (first: object, last: object, prefix: string) =>
    shownMetrics.flatMap((key) => {
      const [before, after] = [first, last].map(
        (metrics) => (metrics as Record<string, number | undefined>)[`${prefix}${key}`],
      );
      // A win rate over the start begins behind it.
      const start = before === undefined ? "" : short(before);
      return after === undefined ? [] : [[key, start, short(after)]];
    });
  const { evaluation } = result;
  const measured =
    evaluation === undefined
      ? []
      : [["evaluation", "before", "last"], ...rowsOf(evaluation.first, evaluation.last, "eval_")];
  const head = `${result.status} after ${result.steps} steps in ${duration(result.seconds)}`;
  const trained = [["", "first step", "last step"], ...rowsOf(result.first, result.last, "")];
  const tables = [trained, measured].filter((rows) => rows.length > 1).map((rows) => table(rows));
  const lines = [tables.join("\n\n"), "", head, `model: ${result.model}`];
  const { endedEarly } = result;
  if (endedEarly !== undefined)
    lines.push(`ended early, at step ${endedEarly.step}, by --${endedEarly.by}: ${endedEarly.why}`);
  if (page !== undefined) lines.push(`report: ${page}`);
  if (result.bestStep !== undefined) lines.push(`the model is that of step ${result.bestStep}, the best one`);
  if (result.status === "interrupted" && result.checkpoint !== undefined)
    lines.push(`to go on: the same command with --resume (checkpoint ${result.checkpoint})`);
  return `${lines.join("\n")}\n`;
}
