// Looks metrics up in the one table of their descriptions, and renders it for the docs. Pure.

import { metricDescriptions } from "./metric-descriptions.js";
import {
  type MetricDescription,
  type MetricGroup,
  type MetricSection,
  metricGroups,
} from "./metric-groups.js";
import type { RunData } from "./run-data.js";

/** A metric as a report shows it. */
export interface DescribedMetric {
  readonly key: string;
  /** Key of its values in evaluations, mostly the same. */
  readonly evaluatedAs: string;
  readonly title: string;
  readonly unit: string;
  readonly meaning: string;
  readonly group: MetricGroup;
  readonly better: "lower" | "higher" | undefined;
  /** Never smoothed. */
  readonly exact: boolean;
  /** In the table of descriptions. */
  readonly place: number;
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

/** Where the definition of a key is looked for after the command's own section; `online` of online commands before. */
const sections: readonly MetricSection[] = [
  "every",
  "dpo",
  "kto",
  "reward",
  "sft",
  "evaluation",
  "over-optimisation",
  "online",
  "ppo",
  "group",
];

const ownSections: Readonly<Record<string, readonly string[]>> = {
  ppo: ["ppo", "online"],
  rloo: ["group", "online"],
  grpo: ["group", "online"],
  "online-dpo": ["online"],
};

/**
 * What a key of training means for a command: its own definition, that of every trainer, or another command's; a key
 * that nobody described is shown under its own name. Undefined for keys that are no curves.
 */
export function describeMetric(key: string, command: string): DescribedMetric | undefined {
  const order = [...(ownSections[command] ?? [command]), ...sections];
  const found = order
    .flatMap((section) => metricDescriptions.filter((row) => row.section === section))
    .map((row) => ({ row, title: titleOf(key, row) }))
    .find(({ title }) => title !== undefined);
  if (found === undefined) {
    const place = Number.POSITIVE_INFINITY;
    const unknown = { title: key, unit: "", meaning: "", better: undefined, exact: false };
    return { key, evaluatedAs: key, ...unknown, group: "Other", place };
  }
  const { row, title = key } = found;
  const { unit, meaning, group, better, exact = false, evaluatedAs = key } = row;
  if (group === undefined) return undefined;
  const place = metricDescriptions.indexOf(row) + Object.keys(row.keys).indexOf(key) / 100;
  return { key, evaluatedAs, title, unit, meaning, group, better, exact, place };
}

/** Every metric that a run wrote, in the order of a report; what one shows of evaluations is none of its own. */
export function metricsOf(
  runs: readonly Pick<RunData, "train" | "evaluation" | "summary">[],
): readonly DescribedMetric[] {
  const metrics = new Map<string, DescribedMetric>();
  for (const { train, evaluation, summary } of runs) {
    for (const key of [...train.values.keys(), ...evaluation.values.keys()]) {
      const metric = metrics.has(key) ? undefined : describeMetric(key, summary.command);
      if (metric !== undefined) metrics.set(key, metric);
    }
  }
  for (const { key, evaluatedAs } of metrics.values()) if (evaluatedAs !== key) metrics.delete(evaluatedAs);
  return inReportOrder([...metrics.values()]);
}

/** Undefined where a row does not describe the key. `rewards/<source>/mean` describes `rewards/brevity/mean`. */
function titleOf(key: string, { keys }: MetricDescription): string | undefined {
  if (Object.hasOwn(keys, key)) return keys[key];
  for (const [pattern, title] of Object.entries(keys)) {
    const [before, after] = pattern.split("<source>");
    if (before === undefined || after === undefined) continue;
    const name = key.slice(before.length, key.length - after.length);
    if (name !== "" && key === `${before}${name}${after}`) return title.replace("<source>", () => name);
  }
  return undefined;
}

/** By group, then in the order of the table; keys that are in no table come last. */
export function inReportOrder(metrics: readonly DescribedMetric[]): readonly DescribedMetric[] {
  const groupOf = ({ group }: DescribedMetric) => metricGroups.indexOf(group);
  return metrics.toSorted(
    (a, b) => groupOf(a) - groupOf(b) || (a.place < b.place ? -1 : a.place > b.place ? 1 : 0),
  );
}
