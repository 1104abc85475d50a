// First, last and best value of every metric of every run, from all lines. Pure.

import { type DescribedMetric, metricsOf } from "./metric-table.js";
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
  return metricsOf(runs).flatMap((metric) => {
    const { key, evaluatedAs, better } = metric;
    const figures = runs.flatMap(({ train, evaluation }, run) => {
      const [measured, trained] = [endsOf(evaluation, evaluatedAs, better), endsOf(train, key, better)];
      return [
        ...(measured === undefined ? [] : [{ run, split: "eval" as const, ...measured }]),
        ...(trained === undefined ? [] : [{ run, split: "train" as const, ...trained }]),
      ];
    });
    return figures.length === 0 ? [] : { metric, figures };
  });
}

function endsOf({ steps, values }: MetricColumns, key: string, better: DescribedMetric["better"]) {
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
