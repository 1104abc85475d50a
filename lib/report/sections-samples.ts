// Answers to fixed prompts before and after training, side by side. Every text comes from a model or a data set and is
// never trusted. Must not read files.

import { type Html, html } from "./html.js";
import { formatNumber } from "./page/format-value.js";
import type { ReportSample, RunData } from "./run-data.js";
import { swatch } from "./sections-runs.js";

/** Prompts beyond this many stay in samples.jsonl. */
const mostPrompts = 20;
/** Answers between first and last, per run and prompt. */
const mostBetween = 12;

export function samplesSection(runs: readonly RunData[]): Html {
  const prompts = [...new Set(runs.flatMap(({ samples }) => samples.map(({ prompt }) => prompt)))];
  if (prompts.length === 0) return html``;
  const shown = prompts.slice(0, mostPrompts);
  const rest = prompts.length - shown.length;
  return html`<section id="samples"><h2>Answers before and after</h2>
<p>What the model says to the same prompts as it learns, always its likeliest words (greedy), so that only the weights make a difference.</p>
${shown.map((prompt, i) => promptHtml(prompt, i, runs))}
${rest > 0 ? html`<p class="quiet">${rest} more prompts are in samples.jsonl.</p>` : undefined}</section>
`;
}

/** What one run says to a prompt, by step; never empty. */
interface RunAnswers {
  readonly run: number;
  readonly label: Html;
  readonly samples: readonly ReportSample[];
}

function promptHtml(prompt: string, index: number, runs: readonly RunData[]): Html {
  const answers = runs.flatMap(({ name, samples: all }, run): RunAnswers[] => {
    const samples = all.filter((sample) => sample.prompt === prompt).toSorted((a, b) => a.step - b.step);
    const label = runs.length === 1 ? html`` : html`${swatch(run, runs.length)}${name}, `;
    return samples.length === 0 ? [] : [{ run, label, samples }];
  });
  const between = answers.flatMap(({ label, samples }) => {
    const inner = samples.slice(1, -1);
    const every = Math.max(1, Math.ceil(inner.length / mostBetween));
    return inner.filter((_, i) => i % every === 0).map((sample) => answerHtml(sample, label));
  });
  return html`<article class="sample"><h3 style="margin:0">Prompt ${index + 1}</h3>
<div class="text" tabindex="0">${prompt}</div>
<div class="answers">${columns(answers)}</div>
${between.length === 0 ? undefined : html`<details><summary>The steps between (${between.length})</summary><div class="answers">${between}</div></details>`}</article>
`;
}

/** A column per run; where all runs began with the same answer, it stands once, before them. */
function columns(answers: readonly RunAnswers[]): readonly Html[] {
  const shared = sharedStart(answers);
  if (shared !== undefined) return [answerHtml(shared, html`before: `), ...answers.map(afterHtml)];
  return answers.map((one) => {
    const [first, ...later] = one.samples;
    if (first === undefined) return html``;
    const when = later.length === 0 ? "" : "before: ";
    const before = answerHtml(first, html`${one.label}${when}`);
    return html`<div class="column">${before}${later.length === 0 ? undefined : afterHtml(one)}</div>`;
  });
}

/** The first answer where all runs have the same one, and others later. */
function sharedStart(answers: readonly RunAnswers[]): ReportSample | undefined {
  const firsts = answers.map(({ samples }) => samples[0]);
  const [start] = firsts;
  if (start === undefined || answers.some(({ samples }) => samples.length < 2)) return undefined;
  const same = (pick: (sample: ReportSample) => unknown) =>
    firsts.every((first) => first !== undefined && pick(first) === pick(start));
  if (!same(({ step }) => step) || !same(({ completion }) => completion)) return undefined;
  // Runs with different rewards may score it differently.
  return same(({ score }) => score) ? start : { ...start, score: undefined };
}

function afterHtml({ label, samples }: RunAnswers): Html {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (last === undefined) return html``;
  const same = first?.completion === last.completion ? " (unchanged)" : "";
  return answerHtml(last, html`${label}after${same}: `);
}

function answerHtml({ step, completion, finished, score }: ReportSample, label: Html): Html {
  const cut = finished === "length" ? html` <span class="whole">(cut at --sample-tokens)</span>` : undefined;
  const scored = score === undefined ? "" : `, score ${formatNumber(score)}`;
  return html`<div class="answer"><span>${label}step ${step}${scored}${cut}</span><div class="text" tabindex="0">${completion.trim() === "" ? emptyText(completion) : completion}</div></div>`;
}

function emptyText(completion: string): string {
  return completion === "" ? "(an empty answer)" : "(nothing but white space)";
}
