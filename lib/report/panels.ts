// Turns runs into panels: one per metric, with a curve of training and one of evaluation for every run that has it.
// Must not draw.

import { type Curve, downsample } from "./downsample.js";
import { type DescribedMetric, metricsOf } from "./metric-table.js";
import type { MetricColumns, ReportAlarm, RunData } from "./run-data.js";

/** A run's curves of one metric. */
export interface PanelSeries {
  /** Index of the run. */
  readonly run: number;
  readonly train: Curve | undefined;
  readonly evaluation: Curve | undefined;
  /** Lines whose value is no finite number: gaps. */
  readonly notFinite: number;
  /** Of the run, by step: marks on its curves. */
  readonly alarms: readonly ReportAlarm[];
}

export interface Panel {
  readonly metric: DescribedMetric;
  readonly series: readonly PanelSeries[];
}

/** Points of a curve: about one per pixel of a wide panel. */
export const curvePoints = 800;

export function panelsOf(runs: readonly RunData[], points = curvePoints): readonly Panel[] {
  return metricsOf(runs).flatMap((metric) => {
    const series = runs.flatMap((run, i) => seriesOf(run, i, metric, points) ?? []);
    return series.length === 0 ? [] : { metric, series };
  });
}

function seriesOf(
  { train, evaluation, alarms }: RunData,
  run: number,
  { key, evaluatedAs }: DescribedMetric,
  points: number,
): PanelSeries | undefined {
  const trained = curveOf(train, key, train.values.get("num_tokens") ?? [], points);
  const measured = curveOf(evaluation, evaluatedAs, tokensAtSteps(train, evaluation.steps), points);
  if (trained === undefined && measured === undefined) return undefined;
  const notFinite = (train.notFinite.get(key) ?? 0) + (evaluation.notFinite.get(evaluatedAs) ?? 0);
  return { run, train: trained, evaluation: measured, notFinite, alarms };
}

function curveOf(
  { steps, values }: MetricColumns,
  key: string,
  tokens: readonly number[],
  points: number,
): Curve | undefined {
  const column = values.get(key);
  return column === undefined ? undefined : downsample({ steps, tokens, values: column, points });
}

/** Evaluations and alarms don't count tokens: those of the last training line up to each of the ascending steps. */
export function tokensAtSteps(train: MetricColumns, steps: readonly number[]): readonly number[] {
  const tokens = train.values.get("num_tokens");
  if (tokens === undefined) return [];
  let line = -1;
  return steps.map((step) => {
    while (line + 1 < train.steps.length && (train.steps[line + 1] ?? 0) <= step) line += 1;
    return line < 0 ? 0 : (tokens[line] ?? Number.NaN);
  });
}

/** Alarms of one step are one mark. */
export function alarmsByStep(alarms: readonly ReportAlarm[]) {
  const steps = [...new Set(alarms.map(({ step }) => step))];
  return steps.map((step) => ({ step, alarms: alarms.filter((alarm) => alarm.step === step) }));
}
