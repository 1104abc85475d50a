// Looks metrics up in the one table of their descriptions, and renders it for the docs. Pure.

import {
  type MetricDescription,
  type MetricGroup,
  type MetricSection,
  metricDescriptions,
  metricGroups,
} from "./metric-descriptions.js";

/** A metric as a report shows it. */
export interface DescribedMetric {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly meaning: string;
  readonly group: MetricGroup;
  readonly better: "lower" | "higher" | undefined;
  /** Never smoothed. */
  readonly exact: boolean;
}

/** Rows of a Markdown table for one section of docs/metrics.md. Throws for a section without metrics. */
export function metricsMarkdown(section: string): string {
  const rows = metricDescriptions.filter((row) => row.section === section);
  if (rows.length === 0) throw new TypeError(`no metric is described for "${section}"`);
  const lines = rows.map(({ keys, unit, meaning }) => {
    const names = Object.keys(keys).map((key) => `\`${key}\``);
    return `| ${names.join(", ")} | ${unit} | ${meaning.replaceAll("|", "\\|")} |`;
  });
  return ["| key | unit | meaning |", "| --- | --- | --- |", ...lines].join("\n");
}

/**
 * What a key of training means for a command: its own definition, that of every trainer, or another command's; a key
 * that nobody described is shown under its own name. Undefined for keys that are no curves.
 */
export function describeMetric(key: string, command: string): DescribedMetric | undefined {
  const sections: readonly MetricSection[] = [
    "every",
    "dpo",
    "kto",
    "reward",
    "sft",
    "evaluation",
    "over-optimisation",
  ];
  const order = [command, ...sections];
  const row = order
    .flatMap((section) => metricDescriptions.filter((one) => one.section === section && key in one.keys))
    .at(0);
  if (row === undefined) {
    return { key, title: key, unit: "", meaning: "", group: "Other", better: undefined, exact: false };
  }
  return row.group === undefined ? undefined : described(key, row, row.group);
}

function described(key: string, row: MetricDescription, group: MetricGroup): DescribedMetric {
  const { unit, meaning, better, exact = false } = row;
  return { key, title: row.keys[key] ?? key, unit, meaning, group, better, exact };
}

/** By group, then in the order of the table; keys that are in no table come last. */
export function inReportOrder(metrics: readonly DescribedMetric[]): readonly DescribedMetric[] {
  const keys = metricDescriptions.flatMap((row) => Object.keys(row.keys));
  const place = ({ key, group }: DescribedMetric) => {
    const known = keys.indexOf(key);
    return metricGroups.indexOf(group) * 1e4 + (known < 0 ? keys.length : known);
  };
  return metrics.toSorted((a, b) => place(a) - place(b));
}
