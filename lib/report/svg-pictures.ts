// The pictures of a report for a README: one per metric, an overview of those that matter most, and the over-optimisation plot.
// Pure.

import { type Html, html } from "./html.js";
import { overOptimisationPlot } from "./over-optimisation.js";
import { type Panel, panelsOf } from "./panels.js";
import type { RunData } from "./run-data.js";
import { overOptimisationDrawing } from "./svg-over-optimisation.js";
import { printPalette } from "./svg-palette.js";
import { keyLine, legendLine, panelPicture } from "./svg-panel.js";

export interface Picture {
  /** A file's name without its ending: `loss`, `rewards-margins`, `overview`. */
  readonly name: string;
  readonly svg: string;
}

/** Points of a curve in a picture: one per pixel or less. */
const picturePoints = 600;
const size = { width: 720, height: 360 };
const small = { width: 400, height: 260 };
const overviewColumns = 3;
const mostInOverview = 6;

/** Panels without any finite value give no picture. */
export function picturesOf(runs: readonly RunData[]): readonly Picture[] {
  const names = runs.map(({ name }) => name);
  const panels = panelsOf(runs, picturePoints);
  const single = panels.flatMap((panel) => {
    const height = size.height + 18 * panel.series.length;
    const drawing = panelPicture({ panel, names, width: size.width, height, legend: true });
    const name = panel.metric.key.replaceAll(/[^\w.-]+/g, "-");
    return drawing === undefined ? [] : { name, svg: document(size.width, height, drawing) };
  });
  const plot = overOptimisationPicture(runs, names);
  return single.length === 0
    ? []
    : [overview(panels, names), ...(plot === undefined ? [] : [plot]), ...single];
}

function overOptimisationPicture(runs: readonly RunData[], names: readonly string[]): Picture | undefined {
  const plot = overOptimisationPlot(runs);
  if (plot === undefined) return undefined;
  const { width } = size;
  const { content, height } = overOptimisationDrawing({ plot, names, width, palette: printPalette });
  const lines = plot.curves.map(({ run }, i) => legendLine(run, names, 16, height + 14 + i * 20));
  const best = plot.baselines.length > 0 ? "diamonds: best of N answers of the start" : undefined;
  const fit = plot.curves.some(({ fitted }) => fitted !== undefined)
    ? "dotted: fitted gold curve"
    : undefined;
  const told = ["largest dot: the end", fit, best].filter((text) => text !== undefined).join(", ");
  const key = html`<text x="${width - 16}" y="${height + 18 + (lines.length - 1) * 20}" text-anchor="end" font-size="12" fill="${printPalette.quiet}">${told}</text>`;
  const svg = document(width, height + lines.length * 20 + 10, html`${content}${lines}${key}`);
  return { name: "over-optimisation", svg };
}

/** The first panels in the order of a report, machine and optimiser last. */
function overview(panels: readonly Panel[], names: readonly string[]): Picture {
  const known = panels.filter(({ metric }) => metric.group !== "Other");
  const chosen = (known.length > 0 ? known : panels).slice(0, mostInOverview);
  const drawings = chosen.flatMap((panel) => panelPicture({ panel, names, ...small, legend: false }) ?? []);
  const columns = Math.min(overviewColumns, drawings.length);
  const rows = Math.ceil(drawings.length / columns);
  const width = columns * small.width;
  const legend = names.map((_, run) => legendLine(run, names, 16, rows * small.height + 14 + run * 20));
  const placed = drawings.map((drawing, i) => {
    const [x, y] = [(i % columns) * small.width, Math.floor(i / columns) * small.height];
    return html`<g transform="translate(${x} ${y})">${drawing}</g>
`;
  });
  const height = rows * small.height + names.length * 20 + 10;
  const [first] = chosen;
  const series = chosen.flatMap((panel) => panel.series);
  const key =
    first === undefined
      ? undefined
      : keyLine({ metric: first.metric, series }, width - 16, rows * small.height + 14);
  return { name: "overview", svg: document(width, height, html`${placed}${legend}${key}`) };
}

function document(width: number, height: number, content: Html): string {
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, Arial, sans-serif">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${content}
</svg>
`.html;
}
