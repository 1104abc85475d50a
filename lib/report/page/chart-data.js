// From the curves of a panel to the aligned columns that uPlot draws. Pure; must not touch a document.

import { smooth } from "./smooth.js";

/**
 * Tables for uPlot.join and what each of their columns is: `band` (low, high), `raw` (faint), `train`, `eval`.
 * Runs in `hidden` are left out; on a logarithmic scale what is not above 0 becomes a gap. A
 * panel of exact values is never smoothed. Places of alarms are lines of their own, so that the cursor can stand on them.
 */
export function chartTables(panel, view, alarms = []) {
  const { axis, smoothing: asked, logarithmic, hidden } = view;
  const smoothing = panel.exact ? 0 : asked;
  const shown = (values) =>
    logarithmic ? values.map((value) => (value !== null && value > 0 ? value : null)) : values;
  const tables = [];
  const columns = [];
  for (const { run, train, evaluation } of panel.series) {
    if (hidden.has(run)) continue;
    if (train !== undefined) {
      const table = [train[axis]];
      const add = (kind, values) => {
        table.push(shown(values));
        columns.push({ run, kind });
      };
      if (train.low !== undefined) {
        add("low", train.low);
        add("high", train.high);
      } else if (smoothing > 0) add("raw", train.values);
      add("train", smoothing > 0 ? smooth(train.values, smoothing) : train.values);
      tables.push(counted(table));
    }
    if (evaluation !== undefined) {
      tables.push(counted([evaluation[axis], shown(evaluation.values)]));
      columns.push({ run, kind: "eval" });
    }
  }
  const marks = alarmsOf(panel, view, alarms);
  if (marks.length > 0) tables.push([marks.map(({ x }) => x)]);
  return { tables, columns };
}

/** Marks of the runs that a panel shows, by their place on the axis. */
export function alarmsOf(panel, { axis, hidden }, alarms) {
  const shown = new Set(panel.series.map(({ run }) => run).filter((run) => !hidden.has(run)));
  return alarms
    .filter(({ run }) => shown.has(run))
    .flatMap(({ run, texts, ...places }) => places[axis].map((x, i) => ({ run, x, texts: texts[i] })))
    .filter(({ x }) => x !== null)
    .sort((a, b) => a.x - b.x);
}

/** Without the points whose place on the axis nobody knows. */
function counted(table) {
  const known = table[0].map((x) => x !== null);
  return known.every(Boolean) ? table : table.map((column) => column.filter((_, i) => known[i]));
}

/** Whether any curve has a point to draw. */
export function hasPoints(tables) {
  return tables.some((table) => table.slice(1).some((column) => column.some((value) => value !== null)));
}

/** The line of a column with a value that is nearest in `xs` to line `index`; null where the column is empty. */
export function nearestLine(xs, column, index) {
  if (index === null || index === undefined) return null;
  const present = (i) => column[i] !== null && column[i] !== undefined;
  let left = index;
  while (left >= 0 && !present(left)) left -= 1;
  let right = index;
  while (right < column.length && !present(right)) right += 1;
  if (left < 0) return right < column.length ? right : null;
  if (right >= column.length) return left;
  return xs[index] - xs[left] <= xs[right] - xs[index] ? left : right;
}

/** The same inside a curve, and null before its first and behind its last value: a run that has ended has none there. */
export function lineOfCurve(xs, column, index) {
  if (index === null || index === undefined) return null;
  const present = (value) => value !== null && value !== undefined;
  const inside = index >= column.findIndex(present) && index <= column.findLastIndex(present);
  return inside ? nearestLine(xs, column, index) : null;
}
