// Shows a run while it goes on: a live line on a terminal, plain lines elsewhere, both on standard error.
// Must not decide anything about the run.

import { type DropReason, dropReasons } from "../data/index.js";
import type { ProgressEvent, SharedMetrics, StartEvent, StepEvent, TrainEvent } from "../train/index.js";
import { bytes, duration, grouped, short } from "./format.js";
import type { Output } from "./terminal.js";

export interface Progress {
  show(event: TrainEvent<SharedMetrics>): void;
  /** A line of its own that stays. */
  note(text: string): void;
  /** Leaves the live line. */
  end(): void;
}

export function createProgress(output: Output): Progress {
  const live = output.isTTY === true;
  let lineOpen = false;
  // Steps that this process took: a resumed run begins in the middle.
  const spent = { steps: 0, milliseconds: 0 };
  const note = (text: string) => {
    output.write(lineOpen ? `\r\x1b[K${text}\n` : `${text}\n`);
    lineOpen = false;
  };
  const line = (text: string) => {
    output.write(`\r\x1b[K${text.slice(0, Math.max(20, (output.columns ?? 80) - 1))}`);
    lineOpen = true;
  };
  return {
    note,
    show(event) {
      if (event.type === "progress") {
        if (live) line(progressText(event));
        return;
      }
      if (event.type !== "step") {
        note(eventText(event));
        return;
      }
      spent.steps += 1;
      spent.milliseconds += event.metrics.step_ms;
      const text = stepText(event, spent);
      if (live) line(text);
      else if (event.logged) note(text);
    },
    end() {
      if (lineOpen) output.write("\n");
      lineOpen = false;
    },
  };
}

type OtherEvent = Exclude<TrainEvent<SharedMetrics>, { readonly type: "step" | "progress" }>;

const phases = {
  samples: "answers sampled",
  reference: "tokens under the reference",
  values: "tokens valued",
  rewards: "reward sources",
  update: "minibatches",
} as const;

function progressText({ step, phase, done, total }: ProgressEvent): string {
  return `step ${step}  ${grouped(done)} of ${grouped(total)} ${phases[phase]}`;
}

function eventText(event: OtherEvent): string {
  switch (event.type) {
    case "start":
      return startText(event);
    case "eval":
      return evalText(event);
    case "sample":
      return `sample at ${event.step}  ${JSON.stringify(event.prompt)} -> ${JSON.stringify(event.completion)}`;
    case "checkpoint":
      return `checkpoint ${event.folder}`;
    case "warning":
      return `warning: ${event.message}`;
    case "alarm":
      return `ALARM ${event.name} at ${event.step}: ${event.text}`;
    case "saved":
      return `saved ${event.folder}`;
  }
}

function evalText({ step, steps, metrics, best }: Extract<OtherEvent, { readonly type: "eval" }>): string {
  const shown = Object.entries(metrics).filter(([key]) => evaluated.has(key));
  const values = shown.map(([key, value]) => `${key.slice("eval_".length)} ${short(Number(value))}`);
  return `eval at ${step}/${steps}  ${values.join("  ")}${best ? "  (best so far)" : ""}`;
}

/** What of an evaluation stands in its line; metrics.jsonl has all. */
const evaluated = new Set([
  "eval_loss",
  "eval_mean_token_accuracy",
  "eval_rewards/accuracies",
  "eval_rewards/margins",
  "eval_accuracy",
  "eval_margin",
  "eval_calibration_error",
  "eval_overopt/proxy",
  "eval_overopt/gold",
  "eval_overopt/win_rate",
  "eval_objective/kl",
  "eval_completions/mean_length",
]);

/** What counts of the rows mean, where they are not 0. */
const rowNotes = [
  ["split", "pairs taken apart into single answers"],
  ["desirable", "good answers"],
  ["undesirable", "bad answers"],
  ["merged", "rows joined an earlier one of their prompt"],
  ["ties", "ties"],
  ["duplicates", "judged the same way before (duplicates)"],
  ["contradictions", "judged the other way before (contradictions)"],
  ["bothBad", "call both answers bad"],
] as const;

/** What will be trained on, and what was left out and why. */
function startText(event: StartEvent): string {
  const { command, rows, steps, parameters, trainableParameters, output, evalRows, resumedFrom } = event;
  const trained =
    trainableParameters === parameters ? "" : `, ${grouped(trainableParameters)} of them trained`;
  const lines = [
    `${command}: ${grouped(parameters)} parameters${trained}, ${grouped(rows.kept)} of ${grouped(rows.read + rows.split)} rows, ` +
      `${grouped(steps)} steps -> ${output}`,
  ];
  if (resumedFrom !== undefined) lines.push(`  continues after step ${grouped(resumedFrom)}`);
  if (evalRows !== undefined) lines.push(`  ${grouped(evalRows)} rows for evaluation`);
  for (const [reason, count] of Object.entries(rows.dropped)) {
    lines.push(`  ${grouped(count)} dropped: ${dropReasons[reason as DropReason]}`);
  }
  if (rows.truncated > 0) lines.push(`  ${grouped(rows.truncated)} cut to the maximum length`);
  for (const [name, text] of rowNotes) if (rows[name] > 0) lines.push(`  ${grouped(rows[name])} ${text}`);
  if (rows.bad > 0)
    lines.push(`  ${grouped(rows.bad)} bad rows skipped, the first: ${rows.badMessages[0] ?? ""}`);
  return lines.join("\n");
}

interface Spent {
  readonly steps: number;
  readonly milliseconds: number;
}

function stepText({ step, steps, metrics }: StepEvent<SharedMetrics>, spent: Spent): string {
  const left = ((spent.milliseconds / spent.steps) * (steps - step)) / 1000;
  const parts = [`step ${step}/${steps}`, `loss ${short(metrics.loss)}`];
  const values = metrics as unknown as Readonly<Record<string, number | undefined>>;
  const accuracy = values["rewards/accuracies"] ?? values.accuracy;
  const margin = values["rewards/margins"] ?? values.margin;
  const kl = values["objective/kl"];
  // As the sources gave it, like the summary's: what is learned from may be normalised to a mean of 0.
  const { reward } = values;
  if (reward !== undefined) parts.push(`reward ${short(reward)}`);
  if (kl !== undefined) parts.push(`KL ${short(kl)}`);
  if (accuracy !== undefined) parts.push(`accuracy ${accuracy.toFixed(2)}`);
  if (margin !== undefined) parts.push(`margin ${short(margin)}`);
  parts.push(
    `${grouped(metrics.tokens_per_second)} tokens/s`,
    `${bytes(metrics.peak_rss_bytes)} peak`,
    step === steps ? `${duration(spent.milliseconds / 1000)} in all` : `${duration(left)} left`,
  );
  return parts.join("  ");
}
