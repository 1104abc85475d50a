// How the gold score rises and falls with the distance to the start: the curves of Gao, Schulman and Hilton 2022
// (arXiv 2210.10760), fitted by linear least squares. Pure numbers; must not import the engine.

import { fail } from "../errors/index.js";
import { type Interval, middle95 } from "../preference/index.js";
import { bootstrapDraws } from "./intervals.js";

/** How the policy was optimised: "best-of-n" R(d) = d (a - b d), "rl" R(d) = d (a - b log d). */
export type OverOptimisationMethod = "best-of-n" | "rl";

export interface GoldPoint {
  /** KL to the start, nats. */
  readonly kl: number;
  /** [prompts] gold score on the same prompts at every point. */
  readonly gold: ArrayLike<number>;
}

export interface FitGoldCurveInput {
  readonly method: OverOptimisationMethod;
  readonly points: readonly GoldPoint[];
  /** [prompts] gold score at KL 0: the curves have R(0) = 0. */
  readonly start: ArrayLike<number>;
  /** Of the bootstrap, 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Default 10,000. */
  readonly draws?: number;
}

export interface Estimate {
  readonly value: number;
  /** Bootstrap over prompts, 95%; the distances are taken as exact. */
  readonly interval: Interval;
}

export interface GoldPeak {
  /** d = sqrt(KL) at which the curve is highest, sqrt(nats). */
  readonly sqrtKl: Estimate;
  /** R there: what the gold score gains over the start. */
  readonly gain: Estimate;
  /** Share of bootstrap draws that have a peak; the intervals are over these. */
  readonly certainty: number;
}

export interface GoldCurve {
  readonly method: OverOptimisationMethod;
  readonly a: Estimate;
  readonly b: Estimate;
  /** Points that were fitted. */
  readonly points: number;
  /** Root of the mean squared distance of the points to the curve. */
  readonly residual: number;
  /** Undefined: the fitted curve only rises, or only falls. */
  readonly peak: GoldPeak | undefined;
}

/** Nearer to the start d log d says nothing: such points are left out of the fit of RL. */
const LEAST_RL_DISTANCE = 0.3;

interface Basis {
  /** R = a f + b g */
  readonly f: number;
  readonly g: number;
}

function basisOf(method: OverOptimisationMethod, d: number): Basis {
  if (d === 0) return { f: 0, g: 0 };
  return { f: d, g: method === "best-of-n" ? -d * d : -d * Math.log(d) };
}

/** R at a distance d = sqrt(KL). */
export function goldCurveAt(
  { method, a, b }: { readonly method: OverOptimisationMethod; readonly a: number; readonly b: number },
  d: number,
): number {
  const { f, g } = basisOf(method, d);
  return a * f + b * g;
}

/** Where the curve is highest: d = a/2b, R = a^2/4b; for RL d = e^(a/b - 1), R = b d. Undefined: nowhere at d > 0. */
export function peakOf(
  method: OverOptimisationMethod,
  a: number,
  b: number,
): { readonly sqrtKl: number; readonly gain: number } | undefined {
  if (!(b > 0) || (method === "best-of-n" && !(a > 0))) return undefined;
  const sqrtKl = method === "best-of-n" ? a / (2 * b) : Math.exp(a / b - 1);
  const gain = method === "best-of-n" ? (a * a) / (4 * b) : b * sqrtKl;
  return Number.isFinite(gain) ? { sqrtKl, gain } : undefined;
}

/**
 * Fits the curve of a method to gold scores at several distances.
 * @throws ATTUNE_DATA where fewer than two distances are left to fit, or scores are not of the same prompts
 */
export function fitGoldCurve(input: FitGoldCurveInput): GoldCurve {
  const { method, start, seed = 0, draws = 10_000 } = input;
  const points = input.points.filter(({ kl }) => isFitted(method, kl));
  for (const { gold } of points) {
    if (gold.length === start.length) continue;
    const text = `Expected gold scores of the ${start.length} prompts of the start but received ${gold.length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  const bases = points.map(({ kl }) => basisOf(method, Math.sqrt(kl)));
  const weights = leastSquares(bases, method);
  // a and b are sums over points, so they are means over prompts of what each prompt adds.
  const added = (pick: "a" | "b") =>
    Float64Array.from({ length: start.length }, (_, i) =>
      points.reduce(
        (sum, { gold }, p) => sum + (weights[p]?.[pick] ?? 0) * ((gold[i] ?? 0) - (start[i] ?? 0)),
        0,
      ),
    );
  const series = [added("a"), added("b")] as const;
  const [a, b] = series.map(meanOf) as [number, number];
  const [drawnA, drawnB] = bootstrapDraws({ series, seed, draws }) as [Float64Array, Float64Array];
  const gains = points.map(({ gold }) => meanOf(gold) - meanOf(start));
  return {
    method,
    a: { value: a, interval: middle95(drawnA) },
    b: { value: b, interval: middle95(drawnB) },
    points: points.length,
    residual: Math.sqrt(meanOf(bases.map(({ f, g }, p) => (a * f + b * g - (gains[p] ?? 0)) ** 2))),
    peak: peakWithIntervals({ method, a, b, drawnA, drawnB }),
  };
}

function isFitted(method: OverOptimisationMethod, kl: number): boolean {
  if (!(kl >= 0) || kl === Number.POSITIVE_INFINITY)
    throw fail("ATTUNE_DATA", `Expected a KL of 0 nats or more but received ${kl}.`);
  const d = Math.sqrt(kl);
  return method === "rl" ? d >= LEAST_RL_DISTANCE : d > 0;
}

/** [points] what a gain at a point adds to a and to b: rows of (X'X)^-1 X'. */
function leastSquares(
  bases: readonly Basis[],
  method: OverOptimisationMethod,
): readonly { readonly a: number; readonly b: number }[] {
  let [ff, fg, gg] = [0, 0, 0];
  for (const { f, g } of bases) {
    ff += f * f;
    fg += f * g;
    gg += g * g;
  }
  const determinant = ff * gg - fg * fg;
  // Of one distance alone it is 0 up to rounding.
  if (!(determinant > 1e-9 * ff * gg)) {
    const least = method === "rl" ? ` with sqrt(KL) of at least ${LEAST_RL_DISTANCE}` : " above KL 0";
    const text = `Expected points at two or more distances${least} to fit a curve but received ${bases.length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  return bases.map(({ f, g }) => ({
    a: (gg * f - fg * g) / determinant,
    b: (ff * g - fg * f) / determinant,
  }));
}

interface Drawn {
  readonly method: OverOptimisationMethod;
  readonly a: number;
  readonly b: number;
  /** [draws] */
  readonly drawnA: Float64Array;
  readonly drawnB: Float64Array;
}

function peakWithIntervals({ method, a, b, drawnA, drawnB }: Drawn): GoldPeak | undefined {
  const peak = peakOf(method, a, b);
  if (peak === undefined) return undefined;
  const peaks = [...drawnA].flatMap((drawn, i) => peakOf(method, drawn, drawnB[i] ?? 0) ?? []);
  const estimate = (pick: "sqrtKl" | "gain"): Estimate => ({
    value: peak[pick],
    interval: middle95(Float64Array.from(peaks, (drawn) => drawn[pick])),
  });
  return { sqrtKl: estimate("sqrtKl"), gain: estimate("gain"), certainty: peaks.length / drawnA.length };
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum / values.length;
}
