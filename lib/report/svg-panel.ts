// Draws one panel as a picture of its own: curves, axes, and which run is which. Pure: panel in, SVG out; always light,
// for pages that show pictures on any ground.

import type { Curve } from "./downsample.js";
import { type Html, html } from "./html.js";
import { formatNumber, formatValue } from "./page/format-value.js";
import { smooth } from "./page/smooth.js";
import type { Panel } from "./panels.js";
import { type Scale, scaleOf } from "./svg-scale.js";

export interface PanelPicture {
  readonly panel: Panel;
  /** [runs] names, for the legend. */
  readonly names: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Whether each run is named below; otherwise the picture is part of one that does. */
  readonly legend: boolean;
}

const ink = "#1b1f24";
const quiet = "#59636e";
const grid = "#e6e9ed";
const colours = ["#0072b2", "#c94f00", "#007f5f", "#b0478a", "#8a6d00", "#2b93c9", "#4a4a4a", "#7a3db8"];
const dashes = ["", "8 4", "2 4", "12 4 2 4"];
/** As on the page: curves of more lines are smoothed, with the lines themselves behind. */
const smoothing = { from: 40, weight: 0.8 };
const lineHeight = 18;

export function runStyle(run: number, runs: number) {
  const colour = colours[run % colours.length] ?? ink;
  const dash = runs > 1 ? (dashes[(run + Math.floor(run / colours.length)) % dashes.length] ?? "") : "";
  return { colour, dash };
}

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
  const place = placer(x, y, box);
  const unit = ["", "bytes", "ms"].includes(metric.unit) ? "" : ` (${metric.unit})`;
  const drawn = series.map(({ run, train, evaluation }) =>
    curvesOf({ run, runs: names.length, train, evaluation, exact: metric.exact, place }),
  );
  const named = legend
    ? series.map(({ run }, i) => legendLine(run, names, 16, height - lines * lineHeight + i * lineHeight))
    : [];
  return html`<text x="16" y="20" font-size="15" font-weight="bold" fill="${ink}">${metric.title}${unit}</text>
${axesOf(x, y, box, place, metric.unit)}
${drawn}
${named}${key}`;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

interface Place {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

function placer(x: Scale, y: Scale, box: Box): Place {
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    x: (value) => round(box.left + ((value - x.from) / (x.to - x.from)) * (box.right - box.left)),
    y: (value) => round(box.bottom - ((value - y.from) / (y.to - y.from)) * (box.bottom - box.top)),
  };
}

function axesOf(x: Scale, y: Scale, box: Box, place: Place, unit: string): Html {
  const rows = y.ticks.map(
    (tick) =>
      html`<path d="M${box.left} ${place.y(tick)}H${box.right}" stroke="${grid}"/><text x="${box.left - 7}" y="${place.y(tick) + 4}" text-anchor="end" font-size="12" fill="${quiet}">${formatValue(tick, unit)}</text>`,
  );
  const columns = x.ticks.map(
    (tick) =>
      html`<text x="${place.x(tick)}" y="${box.bottom + 18}" text-anchor="middle" font-size="12" fill="${quiet}">${formatNumber(tick)}</text>`,
  );
  const middle = (box.left + box.right) / 2;
  return html`${rows}${columns}<text x="${middle}" y="${box.bottom + 35}" text-anchor="middle" font-size="12" fill="${quiet}">step</text>`;
}

interface CurvesOf {
  readonly run: number;
  readonly runs: number;
  readonly train: Curve | undefined;
  readonly evaluation: Curve | undefined;
  readonly exact: boolean;
  readonly place: Place;
}

function curvesOf({ run, runs, train, evaluation, exact, place }: CurvesOf): Html {
  const { colour, dash } = runStyle(run, runs);
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
  return html`${parts}`;
}

/** A line through the points that are there; a gap begins it anew, and a point between gaps is a dot. */
function pathOf(steps: readonly number[], values: readonly (number | null)[], place: Place): string {
  let path = "";
  let open = false;
  for (const [i, value] of values.entries()) {
    if (value === null || !Number.isFinite(value)) {
      open = false;
      continue;
    }
    const next = values[i + 1];
    const alone = !open && (next === undefined || next === null || !Number.isFinite(next));
    const point = `${place.x(steps[i] ?? 0)} ${place.y(value)}`;
    path += `${open ? "L" : "M"}${point}${alone ? "h1" : ""}`;
    open = true;
  }
  return path;
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
  const { colour, dash } = runStyle(run, names.length);
  return html`<path d="M${x} ${y}h30" stroke="${colour}" stroke-width="3" stroke-dasharray="${dash}"/><text x="${x + 38}" y="${y + 4}" font-size="13" fill="${ink}">${names[run]}</text>`;
}

/** What lines and dots are, at the right end of a legend. */
export function keyLine({ metric, series }: Pick<Panel, "metric" | "series">, x: number, y: number): Html {
  const long = series.some(({ train }) => train !== undefined && train.steps.length > smoothing.from);
  const line = `line: training${long && !metric.exact ? " (smoothed)" : ""}`;
  const dots = series.some(({ evaluation }) => evaluation !== undefined) ? ", dots: evaluation" : "";
  const bands = series.some(({ train }) => train?.low !== undefined) ? ", band: least to greatest" : "";
  return html`<text x="${x}" y="${y + 4}" text-anchor="end" font-size="12" fill="${quiet}">${line}${bands}${dots}</text>`;
}
