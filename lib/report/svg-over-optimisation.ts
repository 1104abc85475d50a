// Draws the over-optimisation plot: proxy score above gold score over the distance to the reference, on one axis of distance. The two
// have scales of their own, so that neither is read by the other's. Pure: data in, SVG out.

import { type Html, html } from "./html.js";
import {
  type Baseline,
  type DistanceCurve,
  type DistancePoint,
  fittedGoldAt,
  type OverOptimisationPlot,
} from "./over-optimisation.js";
import { formatNumber } from "./page/format-value.js";
import { axesOf, type Box, type Place, pathOf, placer } from "./svg-axes.js";
import { type Palette, runStyle } from "./svg-palette.js";
import { scaleOf } from "./svg-scale.js";

export interface OverOptimisationDrawing {
  readonly plot: OverOptimisationPlot;
  /** [runs] */
  readonly names: readonly string[];
  readonly width: number;
  readonly palette: Palette;
}

type Score = "proxy" | "gold";

const frameHeight = 260;
const titles = { proxy: "Proxy score (what is optimised)", gold: "Gold score (what it stands for)" };
const fitSteps = 60;

/** Frames below each other, and the height that they take; no frame of gold where nobody measured it. */
export function overOptimisationDrawing(drawing: OverOptimisationDrawing): {
  readonly content: Html;
  readonly height: number;
} {
  const { plot } = drawing;
  const golden = plot.curves.some(({ points }) => points.some(({ gold }) => Number.isFinite(gold)));
  const scores: readonly Score[] = golden ? ["proxy", "gold"] : ["proxy"];
  const frames = scores.map((score, i) => frameOf(drawing, score, i * frameHeight, i === scores.length - 1));
  return { content: html`${frames}`, height: scores.length * frameHeight + 14 };
}

function frameOf(drawing: OverOptimisationDrawing, score: Score, top: number, last: boolean): Html {
  const { plot, names, width, palette } = drawing;
  const { curves, baselines } = plot;
  const all = [...curves, ...baselines].flatMap(
    ({ points }): readonly Omit<DistancePoint, "step">[] => points,
  );
  const distances = all.map(({ distance }) => distance);
  const fits = score === "gold" ? curves.flatMap((curve) => fitOf(curve) ?? []) : [];
  const values = [...all.map((point) => point[score]), ...fits.flatMap((fit) => fit.values)];
  const x = scaleOf([0, ...distances], 5, true);
  const y = scaleOf(values, 4);
  const heading = html`<text x="16" y="${top + 20}" font-size="14" font-weight="bold" fill="${palette.ink}">${titles[score]}</text>`;
  if (x === undefined || y === undefined) return heading;
  const box: Box = { left: 62, top: top + 46, right: width - 24, bottom: top + frameHeight - 36 };
  const place = placer({ x, y, box });
  const label = last ? "distance to the reference, √KL (√nats)" : "";
  const runs = names.length;
  return html`${heading}
${axesOf({ x, y, box, unit: "", label, palette })}
${fits.map(({ run, xs, values: fitted }) => html`<path d="${pathOf(xs, fitted, place)}" fill="none" stroke="${runStyle(run, runs, palette).colour}" stroke-width="2.5" stroke-dasharray="0.1 5" stroke-linecap="round"/>`)}
${curves.map((curve) => curveOf(curve, score, place, drawing))}
${baselines.map((baseline) => baselineOf(baseline, score, place, drawing))}
`;
}

interface Fit {
  readonly run: number;
  readonly xs: readonly number[];
  readonly values: readonly number[];
}

/** The fitted curve as far as the run went. It begins at the gold score of the start. */
function fitOf({ run, points, fitted }: DistanceCurve): Fit | undefined {
  const start = points.find(({ gold }) => Number.isFinite(gold))?.gold;
  if (fitted === undefined || start === undefined) return undefined;
  const far = Math.max(...points.map(({ distance }) => distance));
  const xs = Array.from({ length: fitSteps + 1 }, (_, i) => (far * i) / fitSteps);
  return { run, xs, values: xs.map((distance) => fittedGoldAt(fitted, start, distance)) };
}

function curveOf(
  { run, points }: DistanceCurve,
  score: Score,
  place: Place,
  { names, palette }: OverOptimisationDrawing,
): Html {
  const { colour, dash } = runStyle(run, names.length, palette);
  const known = points.filter((point) => Number.isFinite(point[score]));
  const path = pathOf(
    known.map(({ distance }) => distance),
    known.map((point) => point[score]),
    place,
  );
  const dots = known.map((point, i) => {
    const told = `${names[run]}, step ${formatNumber(point.step)}: ${score} ${formatNumber(point[score])} at √KL ${formatNumber(point.distance)}`;
    // The last one is larger: that is where the run ended.
    return html`<circle cx="${place.x(point.distance)}" cy="${place.y(point[score])}" r="${i === known.length - 1 ? 6 : 3.5}" fill="${colour}"><title>${told}</title></circle>`;
  });
  return html`<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-dasharray="${dash}"/>${dots}`;
}

function baselineOf(
  { runs, points }: Baseline,
  score: Score,
  place: Place,
  { names, palette }: OverOptimisationDrawing,
): Html {
  const known = points.filter((point) => Number.isFinite(point[score]));
  const path = pathOf(
    known.map(({ distance }) => distance),
    known.map((point) => point[score]),
    place,
  );
  const owners = names.length === runs.length ? "" : ` (${runs.map((run) => names[run]).join(", ")})`;
  const marks = known.map((point) => {
    const [x, y] = [place.x(point.distance), place.y(point[score])];
    const told = `Best of ${point.n}${owners}: ${score} ${formatNumber(point[score])} at √KL ${formatNumber(point.distance)}`;
    return html`<path d="M${x} ${y - 5}l5 5l-5 5l-5 -5Z" fill="${palette.paper}" stroke="${palette.ink}" stroke-width="1.5"><title>${told}</title></path><text x="${x + 2}" y="${y - 9}" text-anchor="middle" font-size="11" fill="${palette.ink}" stroke="${palette.paper}" stroke-width="3" paint-order="stroke">${point.n}</text>`;
  });
  return html`<path d="${path}" fill="none" stroke="${palette.quiet}"/>${marks}`;
}
