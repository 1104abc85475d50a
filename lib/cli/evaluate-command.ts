// `attune evaluate`: parse, call the library, print.

import { resolve } from "node:path";
import { Command } from "commander";
import { defaultTokenCache } from "../data/index.js";
import { fail } from "../errors/index.js";
import {
  boundText,
  type Evaluation,
  type EvaluationRows,
  evaluateModel,
  evaluationJson,
  fitRewardBound,
  openEvaluationRows,
  readBound,
  rowJson,
} from "../evaluate/index.js";
import { commandSchemas, type EvaluateSettings } from "../options/index.js";
import type { Kappa } from "../preference/index.js";
import { type Measured, measuredText } from "./evaluate-figures.js";
import { loadGenerationModels, measureGenerated, wantsGenerated } from "./evaluate-generated.js";
import { type EvaluationModels, withModels } from "./evaluation-models.js";
import { addFlags, givenOptions } from "./flags.js";
import { requireNewFile, writeWhole } from "./output-file.js";
import { createPhaseProgress, type PhaseProgress } from "./phase-progress.js";
import { printOptions } from "./print-options.js";
import { exitCodes } from "./report-error.js";
import type { Terminal } from "./terminal.js";

const help = `
What is measured follows from the model and the rows. A policy: loss, perplexity and token accuracy; on pairs, rankings
and thumbs whether it prefers the better answers, with --reference by implicit rewards. A reward model: accuracy, margins,
log loss, calibration, dependence on length.

Examples:
  attune evaluate --model runs/reward/model --data pairs.jsonl --by source --by longer --output runs/reward/evaluation.json
  attune evaluate --model M --adapter runs/dpo/model --reference M --data pairs.jsonl --kl
  attune evaluate --model M --data texts.jsonl
  attune evaluate --model runs/dpo/model --data pairs.jsonl --win-rate-against M --reward-model runs/reward/model --prompts 200
  attune evaluate --model runs/reward/model --data few-pairs.jsonl --fit-bound bound.json`;

export function evaluateCommand(terminal: Terminal, ended: (code: number) => void): Command {
  const command = new Command("evaluate")
    .summary("accuracy, calibration, perplexity, KL, win rate of a policy or a reward model")
    .description("Measures a policy or a reward model on rows, and the answers that a policy writes.")
    .addHelpText("after", help);
  addFlags(command, commandSchemas.evaluate);
  return command.action(async () => {
    if (printOptions("evaluate", command, terminal)) return ended(exitCodes.done);
    const settings = givenOptions(command, commandSchemas.evaluate).resolved;
    ended(await evaluate(settings, terminal));
  });
}

async function evaluate(settings: EvaluateSettings, terminal: Terminal): Promise<number> {
  checkSettings(settings);
  for (const flag of ["output", "rowsOutput", "fitBound"] as const) {
    const path = settings[flag];
    if (path !== undefined) await requireNewFile(flagNames[flag], path);
  }
  const controller = new AbortController();
  const stopListening = terminal.onInterrupt(() => controller.abort());
  const progress = createPhaseProgress(terminal.stderr);
  const { signal } = controller;
  try {
    await withModels(settings, { terminal, signal }, (models) =>
      work({ settings, terminal, models, progress, signal }),
    );
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.end();
    terminal.stderr.write("Interrupted; nothing was written.\n");
    return exitCodes.interrupted;
  } finally {
    progress.end();
    stopListening();
  }
}

const flagNames = { output: "--output", rowsOutput: "--rows-output", fitBound: "--fit-bound" } as const;

interface Work {
  readonly settings: EvaluateSettings;
  readonly terminal: Terminal;
  readonly models: EvaluationModels;
  readonly progress: PhaseProgress;
  readonly signal: AbortSignal;
}

async function work(given: Work): Promise<void> {
  const { settings, terminal, progress } = given;
  const started = performance.now();
  const loaded = await loadGenerationModels(given);
  const rows = await openRows(given);
  try {
    if (settings.fitBound !== undefined) {
      await fitBound(given, rows, settings.fitBound);
      return;
    }
    const evaluation = rows.type === "prompt" ? undefined : await evaluationOf(given, rows);
    const generated = await measureGenerated({ ...given, rows, loaded });
    progress.end();
    const measured: Measured = { ...(evaluation === undefined ? {} : { evaluation }), ...generated };
    const figures = {
      command: "evaluate",
      model: settings.model,
      ...(settings.adapter === undefined ? {} : { adapter: settings.adapter }),
      ...(settings.reference === undefined ? {} : { reference: settings.reference }),
      data: settings.data,
      ...(evaluation === undefined ? {} : evaluationJson(evaluation)),
      ...generated,
      seconds: (performance.now() - started) / 1000,
    };
    if (settings.rowsOutput !== undefined && evaluation !== undefined)
      await writeWhole(settings.rowsOutput, rowLines(evaluation));
    if (settings.output !== undefined)
      await writeWhole(settings.output, `${JSON.stringify(figures, undefined, 2)}\n`);
    terminal.stdout.write(settings.json ? `${JSON.stringify(figures)}\n` : measuredText(measured));
  } finally {
    rows.close();
  }
}

function openRows({ settings, models, terminal, signal }: Work): Promise<EvaluationRows> {
  const {
    data,
    format,
    maxLength,
    skipBadRows,
    truncate,
    tokenCache,
    by = [],
    fitBound: file,
    bound,
  } = settings;
  const { model, tokenizer } = models;
  return openEvaluationRows({
    data,
    tokenizer,
    scored: model.scoreHeads > 0 || file !== undefined || bound !== undefined,
    format,
    maxLength: Math.min(maxLength, model.maxPositions),
    truncate,
    skipBadRows,
    vocabularySize: model.vocabularySize,
    tokenCache: tokenCache ?? defaultTokenCache(process.env),
    columns: by.length > 0,
    signal,
    warn: (text) => terminal.stderr.write(`warning: ${text}\n`),
  });
}

async function evaluationOf(
  { settings, models, progress, signal }: Work,
  rows: EvaluationRows,
): Promise<Evaluation> {
  const { reference, bound, beta, by, bins, kl, aggregate, k, head, confidence, microBatchTokens } = settings;
  // Of a policy: its answers' judge has the heads.
  const judgesOnly = models.model.scoreHeads === 0 && settings.rewardModel !== undefined;
  return evaluateModel({
    model: models.model,
    rows,
    beta,
    bins,
    kl,
    microBatchTokens,
    signal,
    onProgress: ({ phase, done, total }) => progress.show(`rows, ${phase}`, done, total),
    ...(reference === undefined ? {} : { reference: await models.reference(reference) }),
    ...(bound === undefined ? {} : { bound: await readBound(bound) }),
    ...(by === undefined ? {} : { by }),
    ...(aggregate === undefined || judgesOnly ? {} : { aggregate }),
    ...(k === undefined || judgesOnly ? {} : { k }),
    ...(head === undefined || judgesOnly ? {} : { head }),
    // Of --reward-bound otherwise: it judges generated answers.
    ...(confidence === undefined || bound === undefined ? {} : { confidence }),
  });
}

async function fitBound(
  { settings, terminal, models, progress, signal }: Work,
  rows: EvaluationRows,
  path: string,
): Promise<void> {
  const { ridge, lambda, boundKind, kappa, project, seed, microBatchTokens, json } = settings;
  const total = rows.rows.length;
  const reward = await fitRewardBound({
    model: models.model,
    rows,
    ridge,
    lambda,
    bound: boundKind,
    seed,
    microBatchTokens,
    signal,
    onProgress: (done) => progress.show("states", done, total),
    ...(kappa === undefined ? {} : { kappa: kappaOf(kappa) }),
    ...(project === undefined ? {} : { project }),
  });
  progress.end();
  await writeWhole(path, boundText(reward));
  const figures = {
    command: "evaluate",
    fitBound: path,
    judgements: reward.bound.count,
    dimensions: reward.features.size,
    loss: reward.loss,
    kappa: reward.bound.kappa,
    counts: rows.counts,
  };
  const text = `bound of ${figures.judgements} judgements in ${figures.dimensions} dimensions: log loss ${figures.loss.toPrecision(4)}, kappa ${figures.kappa.toPrecision(4)} -> ${path}`;
  terminal.stdout.write(json ? `${JSON.stringify(figures)}\n` : `${text}\n`);
}

function kappaOf(text: string): Kappa {
  if (text === "calibrated" || text === "bound") return text;
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  throw fail(
    "ATTUNE_OPTION",
    `Expected --kappa to be a number >= 0, calibrated or bound but received ${text}.`,
  );
}

function* rowLines({ rows }: Evaluation): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(rowJson(row))}\n`;
}

/** Combinations that the schema cannot refuse. Throws ATTUNE_OPTION. */
function checkSettings(settings: EvaluateSettings): void {
  const {
    winRateAgainst,
    bestOf,
    rewardModel,
    klPrompts,
    reference,
    samples,
    fitBound: file,
    bound,
  } = settings;
  const refuse = (text: string) => fail("ATTUNE_OPTION", text);
  if ((winRateAgainst !== undefined || bestOf !== undefined) && rewardModel === undefined)
    throw refuse("Expected --reward-model beside --win-rate-against and --best-of: it judges the answers.");
  if (rewardModel !== undefined && winRateAgainst === undefined && bestOf === undefined)
    throw refuse(
      "Expected --win-rate-against or --best-of beside --reward-model, which judges generated answers.",
    );
  if (settings.rewardBound !== undefined && rewardModel === undefined)
    throw refuse("Expected --reward-model beside --reward-bound, which was fitted on its states.");
  if (settings.confidence !== undefined && bound === undefined && settings.rewardBound === undefined)
    throw refuse("Expected --bound or --reward-bound beside --confidence but received neither.");
  if (klPrompts > 0 && reference === undefined)
    throw refuse("Expected --reference beside --kl-prompts but received none.");
  if (samples !== undefined && (bestOf === undefined || samples < bestOf))
    throw refuse("Expected --samples to be at least --best-of, which takes the best of so many of them.");
  if (file !== undefined && bound !== undefined)
    throw refuse(
      "Expected --fit-bound, which writes a bound, or --bound, which reads one, but received both.",
    );
  if (file !== undefined) refuseBeside(settings);
  else if (settings.kappa !== undefined || settings.project !== undefined)
    throw refuse("Expected --fit-bound beside --kappa and --project, which say how a bound is fitted.");
  refuseIgnored(settings);
}

/** Fitting a bound measures nothing: what asks for figures would be ignored. */
function refuseBeside(settings: EvaluateSettings): void {
  const { reference, kl, by, output, rowsOutput, aggregate, k, head } = settings;
  const asked = {
    "--reference": reference !== undefined,
    "--kl": kl,
    "--by": by !== undefined,
    "--output": output !== undefined,
    "--rows-output": rowsOutput !== undefined,
    "--aggregate, --k or --head": aggregate !== undefined || k !== undefined || head !== undefined,
    "--win-rate-against, --best-of or --kl-prompts": wantsGenerated(settings),
  };
  const [found] = Object.entries(asked).find(([, given]) => given) ?? [];
  if (found === undefined) return;
  const text = `Expected --fit-bound alone, which fits and measures nothing else, but received ${found} too.`;
  throw fail("ATTUNE_OPTION", `${text} Leave it out, or measure in a run of its own.`);
}

function refuseIgnored({ rewardBound, aggregate, k, head, output, rowsOutput }: EvaluateSettings): void {
  const combines = aggregate !== undefined || k !== undefined || head !== undefined;
  if (rewardBound !== undefined && combines) {
    const text = "Expected --reward-bound, or --aggregate, --k or --head of the reward model's heads,";
    throw fail("ATTUNE_OPTION", `${text} but received both.`);
  }
  if (output !== undefined && rowsOutput !== undefined && resolve(output) === resolve(rowsOutput))
    throw fail(
      "ATTUNE_OPTION",
      `Expected two files for --output and --rows-output but received ${output} for both.`,
    );
}
