// The curves of a report and the table of first, last and best values. The page's own script draws the curves.
// Must not read files.

import { type FiguresOfMetric, figuresOf } from "./figures.js";
import { described, type Html, html, scrollTable } from "./html.js";
import { groupNotes, metricGroups } from "./metric-groups.js";
import { formatNumber, formatValue } from "./page/format-value.js";
import { alarmsByStep, type Panel, panelsOf, tokensAtSteps } from "./panels.js";
import type { RunData } from "./run-data.js";
import { swatch } from "./sections-runs.js";

/** Curves of more lines than this are smoothed at first. */
const smoothFrom = 40;

/** The panels, in the order of their elements `panel-0`, `panel-1` …: what the page's script draws. */
export interface Curves {
  readonly section: Html;
  readonly data: object;
}

export function curvesSection(runs: readonly RunData[]): Curves {
  const panels = panelsOf(runs);
  const groups = metricGroups.flatMap((group) => {
    const members = [...panels.entries()].filter(([, { metric }]) => metric.group === group);
    if (members.length === 0) return [];
    const note = groupNotes[group];
    return html`<h3>${group}</h3>
${note === undefined ? undefined : html`<p class="quiet">${note}</p>`}
<div class="panels">${members.map(([i, panel]) => panelHtml(i, panel, runs))}</div>
`;
  });
  const section = html`<section id="curves"><h2>Curves</h2>
<p>Thick lines are training, dots are evaluations on rows that were never trained on. Point at a curve, or move along it with the arrow keys, to read its values everywhere (of evaluations the nearest one); drag to zoom, double click to go back.${alarmNote(runs)}${longNote(runs, panels)}</p>
<noscript><p>Curves are drawn by a script in this file; everything else shows without it.</p></noscript>
${controls(runs, panels)}
${groups}</section>
`;
  return {
    section,
    data: { runs: runs.length, alarms: runs.flatMap(alarmData), panels: panels.map(panelData) },
  };
}

function alarmNote(runs: readonly RunData[]): string {
  const some = runs.some(({ alarms }) => alarms.length > 0);
  return some ? " A triangle is an alarm: point at it, or move to it, to read it." : "";
}

/** Marks of a run: [marks] places, and what each one says. */
function alarmData({ name, alarms, train }: RunData, run: number, { length }: readonly RunData[]) {
  const marks = alarmsByStep(alarms);
  if (marks.length === 0) return [];
  const steps = marks.map(({ step }) => step);
  const who = length > 1 ? `${name}, ` : "";
  const texts = marks.map((mark) =>
    mark.alarms.map((alarm) => `${who}step ${mark.step}, ${alarm.name}: ${alarm.text}`),
  );
  const tokens = tokensAtSteps(train, steps);
  return [{ run, steps, tokens: tokens.length === 0 ? steps.map(() => Number.NaN) : tokens, texts }];
}

function longNote(runs: readonly RunData[], panels: readonly Panel[]): string {
  const short = panels.some(({ series }) => series.some(({ train }) => train?.low !== undefined));
  if (!short) return "";
  const lines = Math.max(...runs.map(({ train }) => train.steps.length));
  return ` Long runs (${formatNumber(lines)} lines) are drawn in 800 buckets: the line is the mean of a bucket, the band around it goes from its least to its greatest value.`;
}

function controls(runs: readonly RunData[], panels: readonly Panel[]): Html {
  const curves = panels.flatMap(({ series }) => series.flatMap(({ train }) => train ?? []));
  const tokens = curves.some(({ tokens }) => tokens.some(Number.isFinite));
  const smoothing = curves.some(({ steps }) => steps.length > smoothFrom) ? 80 : 0;
  const axis = html`<fieldset><legend>By</legend><label><input type="radio" name="axis" value="steps" checked>step</label><label><input type="radio" name="axis" value="tokens">tokens</label></fieldset>`;
  const boxes = runs.map(
    ({ name }, i) =>
      html`<label><input type="checkbox" name="run" value="${i}" checked>${swatch(i, runs.length)}${name}</label>`,
  );
  return html`<form id="controls" hidden>${tokens ? axis : undefined}
<label>Smoothing <input type="range" name="smoothing" min="0" max="99" value="${smoothing}"> <output></output></label>
<label><input type="checkbox" name="logarithmic">logarithmic</label>
${runs.length > 1 ? html`<fieldset><legend>Runs</legend>${boxes}</fieldset>` : undefined}</form>`;
}

function panelHtml(index: number, { metric, series }: Panel, runs: readonly RunData[]): Html {
  const { title, key, unit, meaning, better } = metric;
  const shownUnit = unit === "" || unit === "bytes" || unit === "ms" ? "" : ` (${unit})`;
  const direction = better === undefined ? "" : ` ${better === "lower" ? "Lower" : "Higher"} is better.`;
  const text =
    meaning === "" ? html`Not described in docs/metrics.md.` : html`${sentence(meaning)}${direction}`;
  const evaluated = series.some(({ evaluation }) => evaluation !== undefined);
  const trained = series.some(({ train }) => train !== undefined);
  const gaps = series.filter(({ notFinite }) => notFinite > 0);
  const heads = [
    trained ? html`<th>training</th>` : undefined,
    evaluated ? html`<th><span class="dot"></span>evaluation</th>` : undefined,
  ];
  const rows = series.map(
    ({ run }) =>
      html`<tr data-run="${run}"><th scope="row">${swatch(run, runs.length)}${runs[run]?.name}</th>${trained ? html`<td data-value="train"></td>` : undefined}${evaluated ? html`<td data-value="eval"></td>` : undefined}</tr>`,
  );
  return html`<article class="panel" id="panel-${index}"><h4>${title}<span class="quiet">${shownUnit}</span>${title === key ? undefined : html` <code class="quiet">${key}</code>`}</h4>
<p>${text}${gaps.map(({ run, notFinite }) => ` ${runs[run]?.name ?? ""}: ${notFinite} values are not finite (gaps).`)}</p>
<div class="chart" tabindex="0" role="group" aria-label="Curve of ${title}; arrow keys read it"></div>
<table class="readout" aria-live="off"><thead><tr><th data-where>last values</th>${heads}</tr></thead><tbody>${rows}</tbody></table></article>
`;
}

function sentence(meaning: string): Html {
  return described(`${meaning.slice(0, 1).toUpperCase()}${meaning.slice(1)}.`);
}

function panelData({ metric, series }: Panel) {
  return {
    unit: metric.unit,
    exact: metric.exact,
    series: series.map(({ run, train, evaluation }) => ({
      run,
      ...(train === undefined ? {} : { train: rounded(train) }),
      ...(evaluation === undefined ? {} : { evaluation: rounded(evaluation) }),
    })),
  };
}

/** Six digits are more than a screen shows. */
function rounded(curve: NonNullable<Panel["series"][number]["train"]>) {
  return Object.fromEntries(
    Object.entries(curve).map(([name, column]: [string, readonly number[]]) => {
      const whole = name === "steps" || name === "tokens";
      return [name, column.map((value) => (whole ? value : Number(value.toPrecision(6))))];
    }),
  );
}

export function figuresSection(runs: readonly RunData[]): Html {
  const all = figuresOf(runs);
  if (all.length === 0) return html``;
  const head = html`<tr><th class="name">Metric</th><th class="curve-name">Curve</th><th class="number">First</th><th class="number">Last</th><th class="number">Best (at step)</th></tr>`;
  return html`<section id="figures"><h2>First, last, best</h2>
<p>A value of training is that of one step's own rows, so single ones jump; an evaluation is over all its rows. Best is the lowest or highest value, where one direction is better.</p>
${scrollTable(
  "First, last and best values",
  head,
  all.map((one) => figureRows(one, runs)),
)}</section>
`;
}

function figureRows({ metric, figures }: FiguresOfMetric, runs: readonly RunData[]): Html {
  const { unit, title, key } = metric;
  const curveName = (run: number, split: "train" | "eval") => {
    const name = runs.length > 1 ? html`${swatch(run, runs.length)}${runs[run]?.name}, ` : undefined;
    return html`<td class="curve-name">${name}${split === "eval" ? "evaluation" : "training"}</td>`;
  };
  const rows = figures.map(({ run, split, first, last, best }, i) => {
    const name = html`<th scope="rowgroup" class="name" rowspan="${figures.length}">${title}${title === key ? undefined : html`<br><code class="quiet">${key}</code>`}</th>`;
    const bestText =
      best === undefined ? "" : `${formatValue(best.value, unit)} (${formatNumber(best.step)})`;
    return html`<tr>${i === 0 ? name : undefined}${curveName(run, split)}<td class="number">${formatValue(first.value, unit)}</td><td class="number">${formatValue(last.value, unit)}</td><td class="number">${bestText}</td></tr>
`;
  });
  return html`${rows}`;
}
