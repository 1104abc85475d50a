// Shows a run while it goes on: a live line on a terminal, plain lines elsewhere, both on standard error.
// Must not decide anything about the run.

import { type DropReason, dropReasons } from "../data/index.js";
import type { DpoMetrics, SftMetrics, StartEvent, StepEvent, TrainEvent } from "../train/index.js";
import { bytes, duration, grouped, short } from "./format.js";
import type { Output } from "./terminal.js";

type Metrics = SftMetrics | DpoMetrics;

export interface Progress {
  show(event: TrainEvent<Metrics>): void;
  /** A line of its own that stays. */
  note(text: string): void;
  /** Leaves the live line. */
  end(): void;
}

export function createProgress(output: Output): Progress {
  const live = output.isTTY === true;
  let lineOpen = false;
  let milliseconds = 0;
  const note = (text: string) => {
    output.write(lineOpen ? `\r\x1b[K${text}\n` : `${text}\n`);
    lineOpen = false;
  };
  return {
    note,
    show(event) {
      if (event.type === "start") note(startText(event));
      else if (event.type === "saved") note(`saved ${event.folder}`);
      else {
        milliseconds += event.metrics.step_ms;
        const text = stepText(event, milliseconds);
        if (live) {
          output.write(`\r\x1b[K${text.slice(0, Math.max(20, (output.columns ?? 80) - 1))}`);
          lineOpen = true;
        } else if (event.logged) note(text);
      }
    },
    end() {
      if (lineOpen) output.write("\n");
      lineOpen = false;
    },
  };
}

/** What will be trained on, and what was left out and why. */
function startText({ command, rows, steps, parameters, output }: StartEvent): string {
  const lines = [
    `${command}: ${grouped(parameters)} parameters, ${grouped(rows.kept)} of ${grouped(rows.read)} rows, ` +
      `${grouped(steps)} steps -> ${output}`,
  ];
  for (const [reason, count] of Object.entries(rows.dropped)) {
    lines.push(`  ${grouped(count)} dropped: ${dropReasons[reason as DropReason]}`);
  }
  if (rows.truncated > 0) lines.push(`  ${grouped(rows.truncated)} cut to the maximum length`);
  if (rows.bad > 0)
    lines.push(`  ${grouped(rows.bad)} bad rows skipped, the first: ${rows.badMessages[0] ?? ""}`);
  return lines.join("\n");
}

function stepText({ step, steps, metrics }: StepEvent<Metrics>, milliseconds: number): string {
  const left = ((milliseconds / step) * (steps - step)) / 1000;
  const parts = [`step ${step}/${steps}`, `loss ${short(metrics.loss)}`];
  if ("rewards/accuracies" in metrics) {
    parts.push(`accuracy ${metrics["rewards/accuracies"].toFixed(2)}`);
    parts.push(`margin ${short(metrics["rewards/margins"])}`);
  }
  parts.push(
    `${grouped(metrics.tokens_per_second)} tokens/s`,
    `${bytes(metrics.peak_rss_bytes)} peak`,
    step === steps ? `${duration(milliseconds / 1000)} in all` : `${duration(left)} left`,
  );
  return parts.join("  ");
}
