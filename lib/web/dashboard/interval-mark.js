// A value and its interval as a dot with whiskers on an axis: one for each row of a table that has the numbers too.
// Must not know what is measured.

import { svg } from "./dom.js";

const WIDTH = 180;
const SIDE = 8;

/** An axis from `low` to `high` with words at `ticks`: `[at, words]`; `lines` are drawn through every mark. */
export function axisOf({ low, high, ticks, lines = [] }) {
  const reach = high > low ? high - low : 1;
  const x = (value) => SIDE + ((Math.min(high, Math.max(low, value)) - low) / reach) * (WIDTH - 2 * SIDE);
  return { low, high, ticks, lines, x };
}

/** For the head of the column: its numbers are in the rows too. */
export function axisHead({ ticks, x }) {
  return svg(
    "svg",
    { class: "axis", width: WIDTH, height: 18, viewBox: `0 0 ${WIDTH} 18`, "aria-hidden": "true" },
    ticks.map(([at, words]) => [
      svg("line", { class: "tick", x1: x(at), x2: x(at), y1: 14, y2: 18 }),
      svg("text", { class: "word", x: x(at), y: 11, "text-anchor": anchorAt(x(at)) }, words),
    ]),
  );
}

/** Arrows say that an interval goes on beyond the axis. */
export function intervalMark({ value, interval, axis, kind = "plain" }) {
  const { x, low, high, lines, ticks } = axis;
  const parts = [svg("line", { class: "ground", x1: SIDE, x2: WIDTH - SIDE, y1: 11, y2: 11 })];
  for (const at of lines) parts.push(svg("line", { class: "line", x1: x(at), x2: x(at), y1: 1, y2: 21 }));
  if (Number.isFinite(interval?.low) && Number.isFinite(interval?.high)) {
    const [left, right] = [x(interval.low), x(interval.high)];
    parts.push(
      svg("line", { class: "whisker", x1: left, x2: right, y1: 11, y2: 11 }),
      endOf(left, interval.low < low ? -1 : 0),
      endOf(right, interval.high > high ? 1 : 0),
    );
  }
  if (Number.isFinite(value)) parts.push(svg("circle", { class: "dot", cx: x(value), cy: 11, r: 4.5 }));
  // Cards of narrow screens have no head of the column.
  const words = ticks.map(([at, text]) =>
    svg("text", { class: "word", x: x(at), y: 32, "text-anchor": anchorAt(x(at)) }, text),
  );
  return svg(
    "svg",
    {
      class: `mark ${kind}`,
      preserveAspectRatio: "xMinYMin slice",
      width: WIDTH,
      height: 34,
      viewBox: `0 0 ${WIDTH} 34`,
      "aria-hidden": "true",
    },
    parts,
    svg("g", { class: "own-axis" }, words),
  );
}

function endOf(at, beyond) {
  if (beyond === 0) return svg("line", { class: "whisker", x1: at, x2: at, y1: 6, y2: 16 });
  const back = at - 6 * beyond;
  return svg("path", { class: "beyond", d: `M${back} 6 L${at} 11 L${back} 16` });
}

function anchorAt(x) {
  return x < 20 ? "start" : x > WIDTH - 20 ? "end" : "middle";
}
