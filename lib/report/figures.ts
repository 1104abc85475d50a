// First, last and best value of every metric of every run, from all lines. Pure.

import { type DescribedMetric, describeMetric, inReportOrder } from "./metric-table.js";
import type { MetricColumns, RunData } from "./run-data.js";

export interface Figure {
  readonly value: number;
  readonly step: number;
}

/** A metric of one split of one run. */
export interface MetricFigures {
  readonly run: number;
  readonly split: "train" | "eval";
  readonly first: Figure;
  readonly last: Figure;
  /** Undefined where no direction is better. */
  readonly best: Figure | undefined;
}

export interface FiguresOfMetric {
  readonly metric: DescribedMetric;
  readonly figures: readonly MetricFigures[];
}

/** Evaluations before training within a run; metrics without any finite value are left out. */
export function figuresOf(runs: readonly RunData[]): readonly FiguresOfMetric[] {
  const found = new Map<string, { metric: DescribedMetric; figures: MetricFigures[] }>();
  for (const [run, { train, evaluation, summary }] of runs.entries()) {
    const splits = [
      ["eval", evaluation],
      ["train", train],
    ] as const;
    for (const [split, columns] of splits) {
      for (const key of columns.values.keys()) {
        const metric = found.get(key)?.metric ?? describeMetric(key, summary.command);
        const ends = metric === undefined ? undefined : endsOf(columns, metric);
        if (metric === undefined || ends === undefined) continue;
        const entry = found.get(key) ?? { metric, figures: [] };
        found.set(key, entry);
        entry.figures.push({ run, split, ...ends });
      }
    }
  }
  const ordered = inReportOrder([...found.values()].map(({ metric }) => metric));
  return ordered.flatMap(({ key }) => found.get(key) ?? []);
}

function endsOf({ steps, values }: MetricColumns, { key, better }: DescribedMetric) {
  let first: Figure | undefined;
  let last: Figure | undefined;
  let best: Figure | undefined;
  for (const [i, value] of (values.get(key) ?? []).entries()) {
    if (!Number.isFinite(value)) continue;
    const figure = { value, step: steps[i] ?? 0 };
    first ??= figure;
    last = figure;
    const gain = best === undefined ? 1 : better === "lower" ? best.value - value : value - best.value;
    if (better !== undefined && gain > 0) best = figure;
  }
  return first === undefined || last === undefined ? undefined : { first, last, best };
}
