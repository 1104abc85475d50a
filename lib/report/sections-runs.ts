// The top of a report: a card per run, how it went and how it ended. Must not read files.

import { type Html, html } from "./html.js";
import { isOnline, onlineFigures } from "./online-runs.js";
import { formatNumber } from "./page/format-value.js";
import type { RunData, RunSummary } from "./run-data.js";

/** More warnings of one run than this are counted. */
const mostWarnings = 5;

/** A short line in the colour and dashes of a run. */
export function swatch(run: number, runs: number): Html {
  const dashes = ["", "8 4", "2 4", "12 4 2 4"];
  const dash = runs > 1 ? (dashes[(run + Math.floor(run / 8)) % dashes.length] ?? "") : "";
  return html`<svg class="swatch" viewBox="0 0 30 10" aria-hidden="true"><path d="M0 5H30" stroke="var(--run-${(run % 8) + 1})" stroke-width="3" stroke-dasharray="${dash}"/></svg>`;
}

export function runsSection(runs: readonly RunData[]): Html {
  const cards = runs.map((run, i) => card(run, i, runs.length));
  return html`<section id="runs"><h2>${runs.length === 1 ? "The run" : "The runs"}</h2>
<div class="cards">${cards}</div></section>
`;
}

function card(run: RunData, index: number, runs: number): Html {
  const { summary, settings } = run;
  const { rows, evaluationRows } = summary;
  const facts: (readonly [string, Html | string | undefined])[] = [
    ...(isOnline(run) ? onlineFigures(run) : [["Result", verdict(run)] as const]),
    ["Alarms", alarmsFact(run)],
    ["Began", summary.started === undefined ? undefined : moment(summary.started)],
    ["Training time", summary.seconds === undefined ? undefined : duration(summary.seconds)],
    ["Model", settings.model],
    [
      "Rows",
      typeof rows.kept === "number"
        ? `${formatNumber(rows.kept)} of ${formatNumber(Number(rows.read))} read`
        : undefined,
    ],
    [
      "Evaluated on",
      typeof evaluationRows.kept === "number"
        ? `${formatNumber(evaluationRows.kept)} rows`
        : settings["eval-share"] === undefined
          ? undefined
          : `${settings["eval-share"]} of the rows`,
    ],
    [
      "Went on",
      summary.resumes.length === 0
        ? undefined
        : `from step ${summary.resumes.map(({ step }) => step).join(", ")}`,
    ],
    ["Folder", run.folder],
  ];
  const list = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [html`<div><dt>${name}</dt><dd>${value}</dd></div>`],
  );
  const told = run.warnings.length > mostWarnings + 1 ? mostWarnings : run.warnings.length;
  const rest = run.warnings.length - told;
  const warnings = [...run.warnings.slice(0, told), ...(rest > 0 ? [`and ${rest} more`] : [])];
  return html`<article class="card"><h3 style="margin:0">${swatch(index, runs)}${run.name} <span class="quiet">(${summary.command})</span></h3>
<p class="status ${statusClass(summary)}">${ending(summary)}</p>
<dl>${list}</dl>${warnings.length === 0 ? undefined : html`<p>Passed over while reading:</p><ul>${warnings.map((text) => html`<li>${text}</li>`)}</ul>`}</article>
`;
}

/** How many, and which; of other runs than online ones nothing where there is none. */
function alarmsFact(run: RunData): Html | string | undefined {
  const names = [...new Set(run.alarms.map(({ name }) => name))];
  if (names.length === 0) return isOnline(run) ? "none" : undefined;
  return html`<a href="#alarms">${run.alarms.length}</a>: ${names.join(", ")}`;
}

function statusClass({ status }: RunSummary): string {
  return status === "done" ? "done" : status === "failed" ? "failed" : "";
}

/** How a run ended, in a sentence. */
export function ending({ status, stepsDone, stepsPlanned, bestStep, endedEarly, error }: RunSummary): string {
  const of = stepsPlanned === undefined ? "" : ` of ${formatNumber(stepsPlanned)}`;
  const steps = stepsDone === undefined ? "" : ` after ${formatNumber(stepsDone)}${of} steps`;
  const best = bestStep === undefined ? "" : `; the model is that of step ${bestStep}, the best one`;
  if (status === "done") {
    const early = endedEarly === undefined ? "" : `, early by --${endedEarly.by}: ${endedEarly.why}`;
    return `Done${steps}${early}${best}.`;
  }
  if (status === "interrupted") return `Interrupted${steps}; the same command with --resume goes on.`;
  if (status === "failed")
    return `Failed${steps}: ${error?.message ?? "no reason was written"} [${error?.code ?? ""}]`;
  if (status === "running")
    return "Not finished: it is still running, or it ended without a word (killed, or the machine stopped).";
  return "How it ended is not known.";
}

/** The evaluation loss, or the loss of training where nothing was evaluated, and what it became. */
function verdict({ train, evaluation }: RunData): string | undefined {
  const measured = ends(evaluation.values.get("loss"));
  // The first one says nothing: before the first step of dpo both sides are equal.
  const [, accuracy] =
    ends(evaluation.values.get("rewards/accuracies") ?? evaluation.values.get("accuracy")) ?? [];
  if (measured !== undefined) {
    const right = accuracy === undefined ? "" : `; accuracy at the end ${accuracy}`;
    return `evaluation loss ${measured.join(" → ")}${right}`;
  }
  const trained = ends(train.values.get("loss"));
  if (trained === undefined) return undefined;
  const only = evaluation.values.get("loss")?.find(Number.isFinite);
  const why =
    only === undefined
      ? "nothing was set aside to evaluate on"
      : `evaluated once only, at step ${evaluation.steps[0]}: loss ${formatNumber(only)}`;
  return `loss of a step ${trained.join(" → ")} (${why})`;
}

function ends(values: readonly number[] | undefined): readonly [string, string] | undefined {
  const finite = (values ?? []).filter(Number.isFinite);
  const [first, last] = [finite.at(0), finite.at(-1)];
  if (first === undefined || last === undefined || finite.length < 2) return undefined;
  return [formatNumber(first), formatNumber(last)];
}

/** `45 s`, `3 min 10 s`, `2 h 5 min` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `2026-11-25 04:01 UTC`; what is no date stays as it is. */
export function moment(date: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(date);
  return match === null ? date : `${match[1]} ${match[2]} UTC`;
}
