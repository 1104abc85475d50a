// `attune score`: rows in, rows with scores out. Parse, call the library, print.

import { Command } from "commander";
import { defaultTokenCache } from "../data/index.js";
import { type EvaluatedRow, openEvaluationRows, readBound, scoredRows } from "../evaluate/index.js";
import { commandSchemas, type ScoreSettings } from "../options/index.js";
import { type EvaluationModels, withModels } from "./evaluation-models.js";
import { addFlags, givenOptions } from "./flags.js";
import { grouped } from "./format.js";
import { requireNewFile, writeWhole } from "./output-file.js";
import { createPhaseProgress, type PhaseProgress } from "./phase-progress.js";
import { printOptions } from "./print-options.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const help = `
Each row comes back with what the reward model says about it:
  {"prompt": "…", "completion": " …"}            + "score"
  {"prompt": "…", "chosen": …, "rejected": …}    + "chosen_score", "rejected_score", "score_margin"
  {"prompt": "…", "completions": […], …}         + "scores"
and, of several heads, "score_heads"; of a bound, "score_means" and "score_widths": lists with an entry per answer.
Rows that are dropped (too long, identical sides) are left out and counted on standard error.

Examples:
  attune score --model runs/reward/model --data answers.jsonl --output scored.jsonl
  attune score --model runs/reward/model --data answers.jsonl --aggregate deviation --k 2
  attune score --model runs/reward/model --bound bound.json --confidence lower --data answers.jsonl`;

export function scoreCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("score")
    .summary("score rows by a reward model")
    .description("Scores the answers of rows by a reward model, or by a linear bound on a model's states.")
    .addHelpText("after", help);
  addFlags(command, commandSchemas.score);
  return command.action(async () => {
    if (printOptions("score", command, terminal)) return ended(exitCodes.done);
    const settings = givenOptions(command, commandSchemas.score).resolved;
    ended(await score(settings, terminal));
  });
}

async function score(settings: ScoreSettings, terminal: Terminal): Promise<number> {
  const { output } = settings;
  if (output !== undefined) await requireNewFile("--output", output);
  const controller = new AbortController();
  const { signal } = controller;
  let unread = false;
  const stopListening = [
    terminal.onInterrupt(() => controller.abort()),
    terminal.onOutputClosed(() => {
      unread = true;
    }),
  ];
  const progress = createPhaseProgress(terminal.stderr);
  try {
    const { rows, read } = await withModels(settings, { terminal, signal }, (models) =>
      scoreRows({ settings, terminal, models, progress, signal }),
    );
    progress.end();
    if (output !== undefined) await writeWhole(output, lines(rows));
    else
      for (const line of lines(rows)) {
        if (unread) break;
        terminal.stdout.write(line);
      }
    terminal.stderr.write(`${grouped(rows.length)} of ${grouped(read)} rows scored\n`);
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.end();
    terminal.stderr.write("Interrupted; nothing was written.\n");
    return exitCodes.interrupted;
  } finally {
    progress.end();
    for (const stop of stopListening) stop();
  }
}

interface ScoreWork {
  readonly settings: ScoreSettings;
  readonly terminal: Terminal;
  readonly models: EvaluationModels;
  readonly progress: PhaseProgress;
  readonly signal: AbortSignal;
}

async function scoreRows({ settings, terminal, models, progress, signal }: ScoreWork) {
  const { data, format, maxLength, skipBadRows, tokenCache, bound, confidence, aggregate, k, head } =
    settings;
  const { model, tokenizer } = models;
  const open = await openEvaluationRows({
    data,
    tokenizer,
    scored: true,
    format,
    maxLength: Math.min(maxLength, model.maxPositions),
    skipBadRows,
    vocabularySize: model.vocabularySize,
    tokenCache: tokenCache ?? defaultTokenCache(process.env),
    columns: true,
    signal,
    warn: (text) => terminal.stderr.write(`warning: ${text}\n`),
  });
  try {
    const rows = await scoredRows({
      model,
      rows: open,
      microBatchTokens: settings.microBatchTokens,
      signal,
      onProgress: ({ phase, done, total }) => progress.show(`rows, ${phase}`, done, total),
      ...(bound === undefined ? {} : { bound: await readBound(bound) }),
      ...(confidence === undefined ? {} : { confidence }),
      ...(aggregate === undefined ? {} : { aggregate }),
      ...(k === undefined ? {} : { k }),
      ...(head === undefined ? {} : { head }),
    });
    return { rows, read: open.counts.read };
  } finally {
    open.close();
  }
}

function* lines(rows: readonly EvaluatedRow[]): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(scoredRow(row))}\n`;
}

/** The row's own columns, then the scores. */
function scoredRow({
  columns,
  scores,
  heads,
  means,
  widths,
}: EvaluatedRow): Readonly<Record<string, unknown>> {
  return {
    ...columns,
    ...named(columns, scores),
    ...(heads === undefined ? {} : { score_heads: heads }),
    ...(means === undefined ? {} : { score_means: means, score_widths: widths }),
  };
}

function named(columns: EvaluatedRow["columns"], scores: readonly number[]) {
  const [first = Number.NaN, second = Number.NaN] = scores;
  if ("completions" in columns) return { scores };
  if (!("chosen" in columns)) return { score: first };
  return { chosen_score: first, rejected_score: second, score_margin: first - second };
}
