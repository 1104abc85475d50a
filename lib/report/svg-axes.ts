// The frame of a plot: where values stand, axes with their numbers, and lines through points. Pure: numbers in, SVG out.

import { type Html, html } from "./html.js";
import { formatNumber, formatValue } from "./page/format-value.js";
import type { Palette } from "./svg-palette.js";
import type { Scale } from "./svg-scale.js";

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Place {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}

export interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly box: Box;
}

export function placer({ x, y, box }: Frame): Place {
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    x: (value) => round(box.left + ((value - x.from) / (x.to - x.from)) * (box.right - box.left)),
    y: (value) => round(box.bottom - ((value - y.from) / (y.to - y.from)) * (box.bottom - box.top)),
  };
}

export interface AxesOf extends Frame {
  /** Of y. */
  readonly unit: string;
  /** Under the axis of x. */
  readonly label: string;
  readonly palette: Palette;
}

export function axesOf({ label, unit, palette, ...frame }: AxesOf): Html {
  const { x, y, box } = frame;
  const { grid, quiet } = palette;
  const place = placer(frame);
  const rows = y.ticks.map(
    (tick) =>
      html`<path d="M${box.left} ${place.y(tick)}H${box.right}" stroke="${grid}"/><text x="${box.left - 7}" y="${place.y(tick) + 4}" text-anchor="end" font-size="12" fill="${quiet}">${formatValue(tick, unit)}</text>`,
  );
  const columns = x.ticks.map(
    (tick) =>
      html`<text x="${place.x(tick)}" y="${box.bottom + 18}" text-anchor="middle" font-size="12" fill="${quiet}">${formatNumber(tick)}</text>`,
  );
  const middle = (box.left + box.right) / 2;
  return html`${rows}${columns}<text x="${middle}" y="${box.bottom + 35}" text-anchor="middle" font-size="12" fill="${quiet}">${label}</text>`;
}

/** A line through the points that are there; a gap begins it anew, and a point between gaps is a dot. */
export function pathOf(xs: readonly number[], values: readonly (number | null)[], place: Place): string {
  let path = "";
  let open = false;
  for (const [i, value] of values.entries()) {
    if (value === null || !Number.isFinite(value)) {
      open = false;
      continue;
    }
    const next = values[i + 1];
    const alone = !open && (next === undefined || next === null || !Number.isFinite(next));
    const point = `${place.x(xs[i] ?? 0)} ${place.y(value)}`;
    path += `${open ? "L" : "M"}${point}${alone ? "h1" : ""}`;
    open = true;
  }
  return path;
}
