// Answers to fixed prompts before and after training, side by side. Every text comes from a model or a data set and is
// never trusted. Must not read files.

import { type Html, html } from "./html.js";
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

function promptHtml(prompt: string, index: number, runs: readonly RunData[]): Html {
  const answers = runs.flatMap((run, i) => {
    const samples = run.samples
      .filter((sample) => sample.prompt === prompt)
      .toSorted((a, b) => a.step - b.step);
    return samples.length === 0 ? [] : [{ name: run.name, run: i, samples }];
  });
  const ends = answers.flatMap(({ name, run, samples }) => {
    const [first, last] = [samples.at(0), samples.at(-1)];
    const label = runs.length === 1 ? html`` : html`${swatch(run, runs.length)}${name}, `;
    const before =
      first === undefined ? [] : [answerHtml(first, html`${label}${first === last ? "" : "before: "}`)];
    if (first === last || last === undefined) return before;
    const same = first?.completion === last.completion ? " (unchanged)" : "";
    return [...before, answerHtml(last, html`${label}after${same}: `)];
  });
  const between = answers.flatMap(({ name, samples }) => {
    const inner = samples.slice(1, -1);
    const every = Math.max(1, Math.ceil(inner.length / mostBetween));
    const label = runs.length === 1 ? html`` : html`${name}, `;
    return inner.filter((_, i) => i % every === 0).map((sample) => answerHtml(sample, label));
  });
  return html`<article class="sample"><h3 style="margin:0">Prompt ${index + 1}</h3>
<div class="text" tabindex="0">${prompt}</div>
<div class="answers">${ends}</div>
${between.length === 0 ? undefined : html`<details><summary>The steps between (${between.length})</summary><div class="answers">${between}</div></details>`}</article>
`;
}

function answerHtml({ step, completion, finished }: ReportSample, label: Html): Html {
  const cut = finished === "length" ? " (cut at --sample-tokens)" : "";
  return html`<div class="answer"><span>${label}step ${step}${cut}</span><div class="text" tabindex="0">${completion.trim() === "" ? emptyText(completion) : completion}</div></div>`;
}

function emptyText(completion: string): string {
  return completion === "" ? "(an empty answer)" : "(nothing but white space)";
}
