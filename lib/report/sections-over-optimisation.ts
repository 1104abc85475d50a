// The over-optimisation plot of a report with what it says, and the alarms of online runs. Must not read files.

import { type Html, html, scrollTable } from "./html.js";
import { isOnline } from "./online-runs.js";
import { type DistanceCurve, type OverOptimisationPlot, overOptimisationPlot } from "./over-optimisation.js";
import { formatNumber } from "./page/format-value.js";
import type { FittedGold, RunData } from "./run-data.js";
import { swatch } from "./sections-runs.js";
import { overOptimisationDrawing } from "./svg-over-optimisation.js";
import { pagePalette } from "./svg-palette.js";

/** Alarms beyond this many stay in alarms.jsonl. */
const mostAlarms = 100;
/** Narrow enough that its words can be read on a phone. */
const drawingWidth = 460;

/** Nothing where no run is an online one, nor has an alarm. */
export function alarmsSection(runs: readonly RunData[]): Html {
  const all = runs.flatMap((run, i) => run.alarms.map((alarm) => ({ run: i, ...alarm })));
  const quiet = runs.filter((run) => isOnline(run) && run.alarms.length === 0);
  if (all.length === 0 && quiet.length === 0) return html``;
  const none =
    quiet.length === 0
      ? undefined
      : html`<p>${runs.length === 1 ? "No alarm." : `No alarm: ${quiet.map(({ name }) => name).join(", ")}.`}</p>
`;
  const several = runs.length > 1;
  const head = html`<tr>${several ? html`<th class="curve-name">Run</th>` : undefined}<th class="number">Step</th><th class="name">Alarm</th><th>What was seen</th></tr>`;
  const rows = all.slice(0, mostAlarms).map(
    ({ run, step, name, text }) =>
      html`<tr>${several ? html`<td class="curve-name">${swatch(run, runs.length)}${runs[run]?.name}</td>` : undefined}<td class="number">${formatNumber(step)}</td><th scope="row" class="name">${name}</th><td>${text}</td></tr>
`,
  );
  const rest = all.length - rows.length;
  const table = html`<p>A triangle on every curve of the run marks the step. <code>docs/evaluation.md</code> has the rule of each; an alarm is given once, and again only after it has been quiet.</p>
<div class="key">${scrollTable("Alarms", head, rows)}</div>
${rest > 0 ? html`<p class="quiet">${rest} more are in alarms.jsonl.</p>` : undefined}`;
  return html`<section id="alarms"><h2>Alarms</h2>
${all.length === 0 ? undefined : table}${none}</section>
`;
}

/** Nothing where no run has a score at a distance to its start. */
export function overOptimisationSection(runs: readonly RunData[]): Html {
  const plot = overOptimisationPlot(runs);
  if (plot === undefined) return html``;
  const names = runs.map(({ name }) => name);
  const { content, height } = overOptimisationDrawing({
    plot,
    names,
    width: drawingWidth,
    palette: pagePalette,
  });
  return html`<section id="over-optimisation"><h2>Over-optimisation</h2>
<p>How far the policy is from its reference (its start, unless another was given), and what that brought: the proxy is the reward that is optimised, gold is what it stands for. Where the upper curve still rises and the lower one falls, the policy exploits the reward (Gao, Schulman, Hilton 2022). A method whose curve is above another's at the same distance gained more for it.</p>
<div class="figure"><svg class="wide" viewBox="0 0 ${drawingWidth} ${height}" role="img" aria-label="Scores over the distance to the reference; the table of points has the same numbers">${content}</svg>
<div><ul class="legend">${legend(plot, names)}</ul>
${notes(plot, names).map((note) => html`<p>${note}</p>`)}
${pointsTable(plot, names)}</div></div></section>
`;
}

function legend({ curves, baselines }: OverOptimisationPlot, names: readonly string[]): readonly Html[] {
  const lines = curves.map(({ run }) => html`<li>${swatch(run, names.length)}${names[run]}</li>`);
  const fitted = curves.some(({ fitted: fit, points }) => fit !== undefined && hasGold(points));
  const fit = fitted
    ? html`<li><svg class="swatch" viewBox="0 0 30 10" aria-hidden="true"><path d="M2 5H30" stroke="var(--ink)" stroke-width="2.5" stroke-dasharray="0.1 5" stroke-linecap="round"/></svg>fitted gold curve, in the colour of its run</li>`
    : undefined;
  const best =
    baselines.length > 0
      ? html`<li><svg class="swatch" viewBox="0 0 30 12" aria-hidden="true"><path d="M15 1l5 5l-5 5l-5 -5Z" fill="none" stroke="var(--ink)" stroke-width="1.5"/></svg>best of N answers of the start, by the proxy</li>`
      : undefined;
  return [...lines, ...[fit, best].filter((item) => item !== undefined)];
}

function hasGold(points: DistanceCurve["points"]): boolean {
  return points.some(({ gold }) => Number.isFinite(gold));
}

/** What the dots are, whose gold score nobody measured, and what each fit says. */
function notes({ curves }: OverOptimisationPlot, names: readonly string[]): readonly string[] {
  const namesOf = (some: readonly DistanceCurve[]) =>
    names.length === 1 ? "" : ` (${some.map(({ run }) => names[run]).join(", ")})`;
  const of = (from: DistanceCurve["from"]) => curves.filter((curve) => curve.from === from);
  const [looks, rollouts] = [of("evaluation"), of("rollouts")];
  const without = curves.filter(({ points }) => !hasGold(points));
  const fits = curves.flatMap(({ run, points, fitted }) =>
    fitted === undefined || !hasGold(points)
      ? []
      : [`${names.length === 1 ? "" : `${names[run]}: `}${fitText(fitted)}`],
  );
  return [
    looks.length === 0
      ? []
      : "A dot is a look at fresh answers to the evaluation prompts; the largest is the last.",
    rollouts.length === 0
      ? []
      : `Without evaluation prompts${namesOf(rollouts)} dots are means over rollouts; the largest is the last.`,
    without.length === 0
      ? []
      : `Nobody measured a gold score${namesOf(without)}: that the proxy rises says nothing yet.`,
    fits,
  ].flat();
}

function fitText({ method, a, b, peak }: FittedGold): string {
  const form = method === "rl" ? "d (a - b log d)" : "d (a - b d)";
  const curve = `Fitted gain in gold: ${form} with a = ${formatNumber(a)}, b = ${formatNumber(b)}`;
  if (peak === undefined) return `${curve}; it has no peak.`;
  const { low, high } = peak;
  const sure =
    low === undefined || high === undefined
      ? ""
      : ` (95% interval ${formatNumber(low)} to ${formatNumber(high)})`;
  return `${curve}; highest at √KL ${formatNumber(peak.sqrtKl)}${sure}, ${formatNumber(peak.gain)} above the start.`;
}

function pointsTable({ curves, baselines }: OverOptimisationPlot, names: readonly string[]): Html {
  const shown = (value: number) => (Number.isFinite(value) ? formatNumber(value) : "");
  const row = (
    name: string | undefined,
    at: string,
    point: { distance: number; proxy: number; gold: number },
  ) =>
    html`<tr><td class="name">${name}</td><td class="number">${at}</td><td class="number">${shown(point.distance)}</td><td class="number">${shown(point.proxy)}</td><td class="number">${shown(point.gold)}</td></tr>`;
  const rows = [
    ...curves.flatMap(({ run, points }) =>
      points.map((point) => row(names[run], formatNumber(point.step), point)),
    ),
    ...baselines.flatMap(({ points }) => points.map((point) => row("best of N", `N = ${point.n}`, point))),
  ];
  const head = html`<tr><th class="name">Curve</th><th class="number">Step</th><th class="number">√KL</th><th class="number">Proxy</th><th class="number">Gold</th></tr>`;
  return html`<details><summary>The points (${rows.length})</summary>${scrollTable("Points of the plot", head, rows)}</details>`;
}
