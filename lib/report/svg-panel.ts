// Draws one panel as a picture of its own: curves, axes, and which run is which. Pure: panel in, SVG out; always light,
// for pages that show pictures on any ground.

import type { Curve } from "./downsample.js";
import { type Html, html } from "./html.js";
import { smooth } from "./page/smooth.js";
import { alarmsByStep, type Panel, type PanelSeries } from "./panels.js";
import { axesOf, type Place, pathOf, placer } from "./svg-axes.js";
import { printPalette, runStyle } from "./svg-palette.js";
import { scaleOf } from "./svg-scale.js";

export interface PanelPicture {
  readonly panel: Panel;
  /** [runs] names, for the legend. */
  readonly names: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Whether each run is named below; otherwise the picture is part of one that does. */
  readonly legend: boolean;
}

/** As on the page: curves of more lines are smoothed, with the lines themselves behind. */
const smoothing = { from: 40, weight: 0.8 };
const lineHeight = 18;
const { ink, quiet, paper } = printPalette;

/** Axes and curves; undefined where no run has a finite value. */
export function panelPicture({ panel, names, width, height, legend }: PanelPicture): Html | undefined {
  const { metric, series } = panel;
  const curves = series.flatMap(({ train, evaluation }) => [train ?? [], evaluation ?? []].flat());
  const y = scaleOf(
    curves.flatMap(({ values, low = [], high = [] }) => [...values, ...low, ...high].filter(Number.isFinite)),
    4,
  );
  const x = scaleOf(
    curves.flatMap(({ steps }) => steps),
    5,
    true,
  );
  if (x === undefined || y === undefined) return undefined;
  const lines = legend ? series.length : 0;
  const key = legend ? keyLine(panel, width - 16, height - lines * lineHeight - 2) : undefined;
  const box = {
    left: 66,
    top: 34,
    right: width - 30,
    bottom: height - 42 - (lines === 0 ? 0 : lines * lineHeight + 6),
  };
  const place = placer({ x, y, box });
  const unit = ["", "bytes", "ms"].includes(metric.unit) ? "" : ` (${metric.unit})`;
  const drawn = series.map((one) =>
    curvesOf({ series: one, runs: names.length, exact: metric.exact, place, from: x.from, to: x.to }),
  );
  const named = legend
    ? series.map(({ run }, i) => legendLine(run, names, 16, height - lines * lineHeight + i * lineHeight))
    : [];
  return html`<text x="16" y="20" font-size="15" font-weight="bold" fill="${ink}">${metric.title}${unit}</text>
${axesOf({ x, y, box, unit: metric.unit, label: "step", palette: printPalette })}
${drawn}
${named}${key}`;
}

interface CurvesOf {
  readonly series: PanelSeries;
  readonly runs: number;
  readonly exact: boolean;
  readonly place: Place;
  /** Steps of the axis. */
  readonly from: number;
  readonly to: number;
}

function curvesOf({ series, runs, exact, place, from, to }: CurvesOf): Html {
  const { run, train, evaluation } = series;
  const { colour, dash } = runStyle(run, runs, printPalette);
  const parts: Html[] = [];
  if (train !== undefined) {
    const smoothed = !exact && train.steps.length > smoothing.from;
    const { low, high } = train;
    if (low !== undefined && high !== undefined)
      parts.push(
        html`<path d="${bandOf(train.steps, low, high, place)}" fill="${colour}" fill-opacity="0.2"/>`,
      );
    else if (smoothed)
      parts.push(
        html`<path d="${pathOf(train.steps, train.values, place)}" fill="none" stroke="${colour}" stroke-opacity="0.28"/>`,
      );
    const values = smoothed ? smooth(train.values, smoothing.weight) : train.values;
    parts.push(
      html`<path d="${pathOf(train.steps, values, place)}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>`,
    );
  }
  if (evaluation !== undefined) {
    const { steps, values } = evaluation;
    parts.push(html`<path d="${pathOf(steps, values, place)}" fill="none" stroke="${colour}"/>`);
    for (const [i, value] of values.entries())
      if (Number.isFinite(value))
        parts.push(
          html`<circle cx="${place.x(steps[i] ?? 0)}" cy="${place.y(value)}" r="3.5" fill="${colour}"/>`,
        );
  }
  for (const { step, alarms } of alarmsByStep(series.alarms)) {
    const value = nearestValue(train, step) ?? nearestValue(evaluation, step);
    if (value === undefined || step < from || step > to) continue;
    const told = alarms.map(({ name, text }) => `${name}: ${text}`).join("\n");
    parts.push(
      html`<path d="${triangle(place.x(step), place.y(value))}" fill="${paper}" stroke="${colour}" stroke-width="2"><title>${told}</title></path>`,
    );
  }
  return html`${parts}`;
}

/** Around a point. */
function triangle(x: number, y: number): string {
  return `M${x} ${y - 7}l6.5 11h-13Z`;
}

/** The finite value of a curve at the step that is nearest. */
function nearestValue(curve: Curve | undefined, step: number): number | undefined {
  let best: { readonly value: number; readonly away: number } | undefined;
  for (const [i, value] of (curve?.values ?? []).entries()) {
    const away = Math.abs((curve?.steps[i] ?? 0) - step);
    if (Number.isFinite(value) && (best === undefined || away < best.away)) best = { value, away };
  }
  return best?.value;
}

function bandOf(
  steps: readonly number[],
  low: readonly number[],
  high: readonly number[],
  place: Place,
): string {
  const present = [...steps.keys()].filter((i) => Number.isFinite(low[i]) && Number.isFinite(high[i]));
  const points = (indices: readonly number[], values: readonly number[]) =>
    indices.map((i) => `${place.x(steps[i] ?? 0)} ${place.y(values[i] ?? 0)}`);
  const outline = [...points(present, high), ...points(present.toReversed(), low)];
  return outline.length === 0 ? "" : `M${outline.join("L")}Z`;
}

/** A swatch and a name at a place. */
export function legendLine(run: number, names: readonly string[], x: number, y: number): Html {
  const { colour, dash } = runStyle(run, names.length, printPalette);
  return html`<path d="M${x} ${y}h30" stroke="${colour}" stroke-width="3" stroke-dasharray="${dash}"/><text x="${x + 38}" y="${y + 4}" font-size="13" fill="${ink}">${names[run]}</text>`;
}

/** What lines and dots are, at the right end of a legend. */
export function keyLine({ metric, series }: Pick<Panel, "metric" | "series">, x: number, y: number): Html {
  const long = series.some(({ train }) => train !== undefined && train.steps.length > smoothing.from);
  const line = `line: training${long && !metric.exact ? " (smoothed)" : ""}`;
  const dots = series.some(({ evaluation }) => evaluation !== undefined) ? ", dots: evaluation" : "";
  const marks = series.some(({ alarms }) => alarms.length > 0) ? ", triangles: alarms" : "";
  const bands = series.some(({ train }) => train?.low !== undefined) ? ", band: least to greatest" : "";
  return html`<text x="${x}" y="${y + 4}" text-anchor="end" font-size="12" fill="${quiet}">${line}${bands}${dots}${marks}</text>`;
}
