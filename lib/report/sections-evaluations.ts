// Results of `attune evaluate` that lie beside a run: figures, and the reliability curve as a small picture.
// Must not read files.

import { type Html, html, scrollTable } from "./html.js";
import { formatNumber } from "./page/format-value.js";
import type { EvaluationFile, FigureOfFile, KeyFigure, Reliability, RunData } from "./run-data.js";

interface FileOfRun extends EvaluationFile {
  readonly run: string;
}

export function evaluationsSection(runs: readonly RunData[]): Html {
  const all = runs.flatMap(({ name, evaluations }) => evaluations.map((one) => ({ run: name, ...one })));
  if (all.length === 0) return html``;
  const files = all.map(fileHtml);
  const curves = all.some(({ reliability }) => reliability.length > 0);
  return html`<section id="evaluations"><h2>Evaluations</h2>
<p>Results of <code>attune evaluate</code> that lie in the folder of a run; <code>docs/evaluation.md</code> defines every figure.${curves ? " A reliability curve compares what was predicted with what happened: on the diagonal, of all predictions of 0.7 just 70 % come true; a flatter curve is too sure of itself, a steeper one not sure enough. Larger dots hold more predictions." : ""}</p>
${files}</section>
`;
}

function fileHtml({ run, file, key, figures, omitted, reliability }: FileOfRun): Html {
  const whole = reliability.filter(({ group }) => !group);
  const parts = reliability.filter(({ group }) => group);
  const rows = figures.map(
    ({ name, value }) => html`<tr><th scope="row">${name}</th><td>${shownValue(value)}</td></tr>`,
  );
  const title = `${run}: ${file}`;
  const groups = html`<details><summary>Reliability of groups of rows (${parts.length})</summary><div class="panels">${parts.map(reliabilityHtml)}</div></details>`;
  const rest = omitted > 0 ? html`<p class="quiet">${omitted} more are in the file.</p>` : undefined;
  const all = html`<details ${{ html: key.length === 0 && rows.length <= 12 ? "open" : "" }}><summary>All figures (${rows.length})</summary>${scrollTable(title, html`<tr><th>Figure</th><th>Value</th></tr>`, rows)}${rest}</details>`;
  return html`<h3>${title}</h3>
${key.length === 0 ? undefined : keyHtml(title, key, figures)}
<div class="panels">${whole.map(reliabilityHtml)}</div>
${parts.length === 0 ? undefined : groups}
${rows.length === 0 ? undefined : all}`;
}

/** What was measured on what, and the figures that people ask for first. */
function keyHtml(title: string, key: readonly KeyFigure[], figures: readonly FigureOfFile[]): Html {
  const told = new Map(figures.map(({ name, value }) => [name, value]));
  const [kind, rows, type, by] = ["kind", "rows", "type", "scoredBy"].map((name) => told.get(name));
  const scored = by === undefined ? "" : `, scored by ${by}`;
  const what =
    kind === undefined || rows === undefined
      ? undefined
      : html`<p>A ${kind === "reward" ? "reward model" : kind} on ${shownValue(rows)} rows (${type})${scored}.</p>`;
  const lines = key.map(
    (one) =>
      html`<tr><th scope="row" class="name">${one.title}<br><span class="quiet">${one.meaning}</span></th><td class="number">${formatNumber(one.value)}</td><td class="number">${around(one)}</td></tr>`,
  );
  const head = html`<tr><th class="name">Figure</th><th class="number">Value</th><th class="number">95% interval</th></tr>`;
  return html`${what}<div class="key">${scrollTable(`${title}, first figures`, head, lines)}</div>`;
}

function around({ low, high, deviation }: KeyFigure): string {
  if (low !== undefined && high !== undefined) return `${formatNumber(low)} to ${formatNumber(high)}`;
  return deviation === undefined ? "" : `± ${formatNumber(1.96 * deviation)}`;
}

function shownValue(value: string | number): string {
  return typeof value === "number" ? formatNumber(value) : value;
}

function reliabilityHtml(curve: Reliability): Html {
  const { name, ece, brier } = curve;
  const figures = [
    ece === undefined ? [] : `expected calibration error ${formatNumber(ece)} (0 is perfect)`,
    brier === undefined ? [] : `Brier score ${formatNumber(brier)}`,
  ].flat();
  return html`<article class="panel"><h4>Reliability${name === "" ? "" : `: ${name}`}</h4>
<p>${figures.join(", ")}</p>
${reliabilityCurve(curve)}</article>
`;
}

const side = 240;
const margin = { left: 44, top: 10, right: 12, bottom: 40 };

/** Predicted against observed share, one dot per bin. */
export function reliabilityCurve({ name, bins }: Reliability): Html {
  const x = (share: number) => Math.round((margin.left + share * side) * 10) / 10;
  const y = (share: number) => Math.round((margin.top + (1 - share) * side) * 10) / 10;
  const most = Math.max(...bins.map(({ count }) => count), 1);
  const points = bins.flatMap(({ predicted, observed, count, from, to }) =>
    predicted === undefined || observed === undefined ? [] : { predicted, observed, count, from, to },
  );
  const line = points
    .map(({ predicted, observed }, i) => `${i === 0 ? "M" : "L"}${x(predicted)} ${y(observed)}`)
    .join("");
  const dots = points.map(
    ({ predicted, observed, count, from, to }) =>
      html`<circle cx="${x(predicted)}" cy="${y(observed)}" r="${3 + 5 * Math.sqrt(count / most)}" fill="var(--run-1)"><title>${from} to ${to}: ${formatNumber(count)} predictions, predicted ${formatNumber(predicted)}, observed ${formatNumber(observed)}</title></circle>`,
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      html`<path d="M${x(share)} ${y(0)}V${y(1)}M${x(0)} ${y(share)}H${x(1)}" stroke="var(--grid)"/><text x="${x(share)}" y="${y(0) + 15}" text-anchor="middle">${share}</text><text x="${margin.left - 6}" y="${y(share) + 4}" text-anchor="end">${share}</text>`,
  );
  const width = margin.left + side + margin.right;
  const height = margin.top + side + margin.bottom;
  return html`<svg class="curve" viewBox="0 0 ${width} ${height}" role="img" aria-label="Reliability curve ${name}">${ticks}<path d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}" stroke="var(--quiet)" stroke-dasharray="4 4"/><path d="${line}" fill="none" stroke="var(--run-1)" stroke-width="2"/>${dots}<text x="${x(0.5)}" y="${height - 6}" text-anchor="middle">predicted share</text><text transform="translate(11 ${y(0.5)}) rotate(-90)" text-anchor="middle">observed share</text></svg>`;
}
