// The data of the over-optimisation plot (Gao, Schulman, Hilton 2022, arXiv 2210.10760): proxy and gold score over the distance
// to the reference (the start, mostly), a curve per run, the fitted gold curve, and best-of-N beside them. Pure; must not draw.

import { downsample } from "./downsample.js";
import type { FittedGold, MetricColumns, RunData } from "./run-data.js";

/** A look at a run; NaN is not measured. */
export interface DistancePoint {
  readonly step: number;
  /** sqrt(KL), sqrt(nats) */
  readonly distance: number;
  readonly proxy: number;
  readonly gold: number;
}

export interface DistanceCurve {
  /** Index of the run. */
  readonly run: number;
  /** In the order of steps; never empty. */
  readonly points: readonly DistancePoint[];
  /** What was looked at: answers to the evaluation prompts, or the rollouts themselves. */
  readonly from: "evaluation" | "rollouts";
  readonly fitted: FittedGold | undefined;
}

/** Best-of-N of one start. */
export interface Baseline {
  /** Indices of the runs that have it. */
  readonly runs: readonly number[];
  readonly points: readonly (Omit<DistancePoint, "step"> & { readonly n: number })[];
}

export interface OverOptimisationPlot {
  readonly curves: readonly DistanceCurve[];
  readonly baselines: readonly Baseline[];
}

/** Rollouts are looked at in every step: more points than this become means of neighbours. */
const mostPoints = 60;

/** Undefined where no run has a score at a distance. */
export function overOptimisationPlot(runs: readonly RunData[]): OverOptimisationPlot | undefined {
  const curves = runs.flatMap((run, i) => curveOf(run, i) ?? []);
  return curves.length === 0 ? undefined : { curves, baselines: baselinesOf(runs) };
}

function curveOf({ evaluation, train, overOptimisation }: RunData, run: number): DistanceCurve | undefined {
  const { fitted } = overOptimisation;
  const looked = pointsOf(evaluation);
  if (looked.length > 0) return { run, points: looked, from: "evaluation", fitted };
  const sampled = pointsOf(train);
  return sampled.length === 0 ? undefined : { run, points: sampled, from: "rollouts", fitted };
}

function pointsOf({ steps, values }: MetricColumns): readonly DistancePoint[] {
  const shortened = (key: string) =>
    downsample({
      steps,
      tokens: [],
      values: values.get(key) ?? steps.map(() => Number.NaN),
      points: mostPoints,
    });
  const [distances, proxies, golds] = ["overopt/sqrt_kl", "overopt/proxy", "overopt/gold"].map(shortened);
  return (distances?.values ?? []).flatMap((distance, i) => {
    const [proxy = Number.NaN, gold = Number.NaN] = [proxies?.values[i], golds?.values[i]];
    const known = Number.isFinite(distance) && (Number.isFinite(proxy) || Number.isFinite(gold));
    return known ? [{ step: distances?.steps[i] ?? 0, distance, proxy, gold }] : [];
  });
}

/** Runs from one start have one baseline together. */
function baselinesOf(runs: readonly RunData[]): readonly Baseline[] {
  const found = new Map<string, number[]>();
  for (const [run, { overOptimisation }] of runs.entries()) {
    if (overOptimisation.bestOfN.length === 0) continue;
    const key = JSON.stringify(overOptimisation.bestOfN);
    found.set(key, [...(found.get(key) ?? []), run]);
  }
  return [...found.values()].map((owners) => ({
    runs: owners,
    points: (runs[owners[0] ?? 0]?.overOptimisation.bestOfN ?? []).map(({ n, kl, proxy, gold }) => ({
      n,
      distance: Math.sqrt(kl),
      proxy,
      gold: gold ?? Number.NaN,
    })),
  }));
}

/** The fitted gold score at a distance, for a curve whose gold score at the start is `start`. */
export function fittedGoldAt({ method, a, b }: FittedGold, start: number, distance: number): number {
  if (distance === 0) return start;
  return start + distance * (a - b * (method === "rl" ? Math.log(distance) : distance));
}
