// The figures of an evaluation as tables for people. Pure; must not compute any.

import type {
  bestOfNJson,
  Evaluation,
  EvaluationMetrics,
  PairMetrics,
  sampledKlJson,
  winRateJson,
} from "../evaluate/index.js";
import type { Interval } from "../preference/index.js";
import { grouped, short, table } from "./format.js";

/** Everything that one call of `attune evaluate` measured. */
export interface Measured {
  readonly evaluation?: Evaluation;
  readonly sampledKl?: ReturnType<typeof sampledKlJson>;
  readonly winRate?: ReturnType<typeof winRateJson>;
  readonly bestOf?: ReturnType<typeof bestOfNJson>;
}

type Figure = readonly [name: string, value: string];

export function measuredText({ evaluation, sampledKl, winRate, bestOf }: Measured): string {
  const parts: string[] = [];
  if (evaluation !== undefined) parts.push(...evaluationParts(evaluation));
  const figures: Figure[] = [];
  if (sampledKl !== undefined)
    figures.push(
      ["KL of fresh answers", `${short(sampledKl.mean)} +- ${short(sampledKl.standardError)} per answer`],
      ["per token", short(sampledKl.perToken)],
    );
  if (winRate !== undefined) figures.push(...winFigures(winRate));
  if (bestOf !== undefined)
    figures.push(
      [`score of one answer`, within(bestOf.single.mean, bestOf.single.interval)],
      [`score of the best of ${bestOf.n}`, within(bestOf.best.mean, bestOf.best.interval)],
      [`KL of choosing it`, `at most ${short(bestOf.klBound)}`],
    );
  if (figures.length > 0) parts.push(table([["generated answers", ""], ...figures]));
  return `${parts.join("\n\n")}\n`;
}

function evaluationParts(evaluation: Evaluation): readonly string[] {
  const { kind, type, scoredBy, counts, metrics, slices, kl, coverage } = evaluation;
  const by = scoredBy === undefined ? "" : `, scored by ${scoredBy}`;
  const heading = `${grouped(metrics.rows)} of ${grouped(counts.read)} rows (${type})${by}`;
  const figures: Figure[] = [...metricFigures(metrics)];
  if (coverage !== undefined)
    figures.push(
      ["width of a pair", short(coverage["uncertainty/width"])],
      ["pairs wider apart than that", percent(coverage["uncertainty/certain"])],
      ["accuracy among these", percent(coverage["uncertainty/coverage"])],
    );
  if (kl !== undefined)
    figures.push([
      "KL to the reference",
      `${short(kl.kl.mean)} per answer, ${short(kl.kl.perToken)} per token`,
    ]);
  const parts = [`${heading}\n\n${table([[kind === "policy" ? "policy" : "reward model", ""], ...figures])}`];
  for (const { by: name, slices: groups } of slices) {
    const columns = sliceColumns(metrics);
    const rows = groups.map(({ value, rows: count, metrics: ofGroup }) => {
      const values = new Map(metricFigures(ofGroup));
      return [value, grouped(count), ...columns.map((column) => values.get(column) ?? "")];
    });
    parts.push(table([[`by ${name}`, "rows", ...columns], ...rows]));
  }
  const curve = reliability(metrics);
  return curve === undefined ? parts : [...parts, curve];
}

/** What of a group stands in its line; JSON has all. */
function sliceColumns(metrics: EvaluationMetrics): readonly string[] {
  const shown = [
    "accuracy",
    "margin",
    "log loss",
    "ECE",
    "AUC",
    "loss per token",
    "perplexity",
    "mean score",
  ];
  const names = metricFigures(metrics).map(([name]) => name);
  return shown.filter((name) => names.includes(name));
}

function metricFigures({ tokens, judged, scores, logps }: EvaluationMetrics): readonly Figure[] {
  const figures: Figure[] = [];
  if (judged !== undefined && "accuracy" in judged) figures.push(...pairFigures(judged));
  if (judged !== undefined && "top_accuracy" in judged)
    figures.push(
      ["best answer on top", percent(judged.top_accuracy)],
      ["tau-b of ranks", short(judged.tau_b)],
    );
  if (judged !== undefined && "auc" in judged)
    figures.push(["AUC", short(judged.auc)], ["good less bad", short(judged.gap)]);
  if (judged !== undefined && "rating_spearman" in judged)
    figures.push(
      ["Spearman with ratings", short(judged.rating_spearman)],
      ["Kendall with ratings", short(judged.rating_kendall)],
    );
  const range = judged ?? scores;
  if (range !== undefined)
    figures.push(
      ["mean score", short(range.mean_reward)],
      ["scores from, to", `${short(range.min_reward)}, ${short(range.max_reward)}`],
      ["Spearman with length", short(range.length_spearman)],
    );
  if (logps !== undefined)
    figures.push(
      ["log-prob of chosen, rejected", `${short(logps.chosen)}, ${short(logps.rejected)}`],
      ["accuracy per token", percent(logps.accuracy_per_token)],
    );
  if (tokens !== undefined)
    figures.push(
      ["loss per token", short(tokens.loss)],
      ["perplexity", short(tokens.perplexity)],
      ["token accuracy", percent(tokens.mean_token_accuracy)],
      ["tokens", grouped(tokens.tokens)],
    );
  return figures;
}

function pairFigures({
  accuracy,
  accuracy_interval: interval,
  decided,
  ties,
  margin,
  loss,
  calibration,
}: PairMetrics) {
  const range = interval === undefined ? "" : ` (${percent(interval.low)} to ${percent(interval.high)})`;
  return [
    ["accuracy", `${percent(accuracy)}${range}`],
    ["pairs decided, tied", `${grouped(decided)}, ${grouped(ties)}`],
    ["margin", short(margin)],
    ["log loss", short(loss)],
    ["ECE", short(calibration.ece)],
    ["Brier score", short(calibration.brier)],
  ] as const;
}

function winFigures({
  winRate,
  winRateInterval,
  wins,
  ties,
  losses,
  ...rest
}: NonNullable<Measured["winRate"]>) {
  return [
    ["win rate", `${percent(winRate)} (${percent(winRateInterval.low)} to ${percent(winRateInterval.high)})`],
    ["won, tied, lost", `${grouped(wins)}, ${grouped(ties)}, ${grouped(losses)}`],
    ["mean scores", `${short(rest.ourMean)} against ${short(rest.theirMean)}`],
    ["difference", within(rest.difference, rest.differenceInterval)],
    ["mean lengths", `${short(rest.ours.meanLength)} against ${short(rest.theirs.meanLength)} tokens`],
    ["cut answers", `${percent(rest.ours.cut)} against ${percent(rest.theirs.cut)}`],
  ] as const;
}

/** Predictions and outcomes by bin, upper half: the lower one mirrors it. */
function reliability({ judged }: EvaluationMetrics): string | undefined {
  if (judged === undefined || !("calibration" in judged)) return undefined;
  const upper = judged.calibration.bins.filter(({ to }) => to > 0.5 + 1e-9);
  const all = upper.reduce((sum, { count }) => sum + count, 0);
  const rows = upper.flatMap(({ from, to, count, predicted = 0, observed = 0 }) =>
    count === 0
      ? []
      : [[`${percent(from)} to ${percent(to)}`, percent(count / all), percent(predicted), percent(observed)]],
  );
  return table([["P(better) in", "of pairs", "predicted", "observed"], ...rows]);
}

function within(value: number, { low, high }: Interval): string {
  return `${short(value)} (${short(low)} to ${short(high)})`;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "-";
}
