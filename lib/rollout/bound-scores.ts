// Scores of answers by a linear bound on a reward model's states: theta . (phi - nu) with its uncertainty.
// Must not fit it: lib/evaluate does, and keeps it in a file.

import type { PackableRows } from "../data/index.js";
import type { FrozenModel, JobOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type FeatureMap, featureOf, type LinearBound, meanScore, width } from "../preference/index.js";
import { valuesOfRows } from "./row-batches.js";

/** Scores theta . (phi - nu) with widths, phi a feature of the state behind an answer. */
export interface RewardBound {
  readonly features: FeatureMap;
  /** Of the projection's entries; undefined: no projection. */
  readonly projectionSeed: number | undefined;
  readonly bound: LinearBound;
  /** [size] nu: the mean feature of the best answers it was fitted on, which so score 0 on average; ties have none. */
  readonly reference: Float64Array;
  /** Mean loss of the fitted judgements. */
  readonly loss: number;
  /** [hidden size] the model's state behind a fixed sequence: another model has another one. */
  readonly probe: Float32Array;
  readonly dtype: FrozenModel["dtype"];
}

export interface BoundScore {
  /** theta . (phi - nu) */
  readonly mean: number;
  /** kappa times the uncertainty of that: lower = mean - width, upper = mean + width. */
  readonly width: number;
}

export type Confidence = "lower" | "mean" | "upper";

/** What of a score counts. */
export function confident({ mean, width: wide }: BoundScore, confidence: Confidence): number {
  return confidence === "mean" ? mean : confidence === "lower" ? mean - wide : mean + wide;
}

/** What a bound asks of a model. */
export type StatesModel = Pick<FrozenModel, "states" | "dtype">;

export interface ScoreWithBound extends JobOptions {
  readonly model: StatesModel;
  readonly bound: RewardBound;
  readonly rows: { readonly rows: PackableRows };
  readonly microBatchTokens?: number;
  readonly onProgress?: (done: number) => void;
}

export interface RowBoundScores {
  /** [answers] */
  readonly answers: readonly BoundScore[];
  /** Of two answers: the first less the second, whose width is not that of either. */
  readonly difference?: BoundScore;
}

/** [rows] @throws ATTUNE_MODEL where the bound was fitted on another model */
export async function boundScores(options: ScoreWithBound): Promise<readonly RowBoundScores[]> {
  const { model, bound } = options;
  await requireSameModel(model, bound, options);
  const states = await lastStates(options);
  return states.map((ofRow) => {
    const features = ofRow.map((state) => featureOf(bound.features, state));
    const answers = features.map((feature) => boundScore(bound, feature));
    const [first, second] = features;
    if (first === undefined || second === undefined || features.length > 2) return { answers };
    return { answers, difference: boundScore(bound, first, second) };
  });
}

/** Width and mean of the difference of two answers: what a judgement between them would say. */
function boundScore({ bound, reference }: RewardBound, feature: Float64Array, other = reference): BoundScore {
  const v = feature.map((entry, i) => entry - (other[i] ?? 0));
  return { mean: meanScore(bound, v), width: width(bound, v) };
}

/** [rows][answers][hidden size] the state behind each answer's last token. */
export function lastStates({
  model,
  rows: open,
  microBatchTokens,
  signal,
  onProgress,
}: Omit<ScoreWithBound, "bound">): Promise<readonly (readonly Float32Array[])[]> {
  return valuesOfRows({
    rows: open.rows,
    score: true,
    ...(microBatchTokens === undefined ? {} : { microBatchTokens }),
    ...(signal === undefined ? {} : { signal }),
    onProgress,
    compute: async (batch, job) => {
      const states = await model.states(batch, job);
      const answers = batch.completions.length / 2;
      const size = states.length / answers;
      return Array.from({ length: answers }, (_, answer) => states.slice(answer * size, (answer + 1) * size));
    },
  });
}

/** A sequence that every vocabulary has. */
const probeRow = { prompt: Int32Array.of(0), completions: [Int32Array.of(1, 0, 1)] };

export async function probeOf(model: StatesModel, { signal }: JobOptions): Promise<Float32Array> {
  const job = signal === undefined ? {} : { signal };
  const [[state] = []] = await lastStates({ model, rows: { rows: [probeRow] }, ...job });
  if (state === undefined) throw fail("ATTUNE_INTERNAL", "The model gave no state for the probe.");
  return state;
}

/** Relative distance of the probe's states: rounding of another instruction set, and of another number format. */
const sameFormat = 1e-3;
const otherFormat = 0.05;

/** @throws ATTUNE_MODEL */
async function requireSameModel(model: StatesModel, bound: RewardBound, job: JobOptions): Promise<void> {
  const found = await probeOf(model, job);
  const advice = "Fit it anew: attune evaluate --fit-bound.";
  if (found.length !== bound.probe.length) {
    const text = `Expected the model that the bound was fitted on, of ${bound.probe.length} hidden numbers, but this one has ${found.length}.`;
    throw fail("ATTUNE_MODEL", `${text} ${advice}`);
  }
  let [difference, size] = [0, 0];
  for (const [i, value] of bound.probe.entries()) {
    difference += ((found[i] ?? 0) - value) ** 2;
    size += value ** 2;
  }
  const distance = Math.sqrt(difference / size);
  if (distance <= (model.dtype === bound.dtype ? sameFormat : otherFormat)) return;
  const text = `Expected the model that the bound was fitted on but its states differ by ${distance.toPrecision(2)}.`;
  throw fail("ATTUNE_MODEL", `${text} ${advice}`);
}
