// The linear bound on a model's states: fitted to judged rows, it gives scores with their uncertainty.
// Must not print or write files: bound-file.ts keeps it.

import { type PackableRows, philox, randomStreams, seedKey, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, JobOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import {
  type FeatureMap,
  featureOf,
  featuresOf,
  fitFeatures,
  fitLinearBound,
  fitLinearReward,
  type Judgement,
  type Kappa,
  type LinearBound,
  meanScore,
  type RandomWords,
  width,
} from "../preference/index.js";
import type { EvaluationRows } from "./evaluation-rows.js";
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

export interface FitRewardBound extends JobOptions {
  readonly model: FrozenModel;
  /** Pairs, rankings or best-of rows, tokenised for scores. */
  readonly rows: EvaluationRows;
  /** Default 0.01. */
  readonly ridge?: number;
  /** Default 0.01. */
  readonly lambda?: number;
  /** Default "calibrated"; with the bound "fisher" 1. */
  readonly kappa?: Kappa;
  /** Default "gram". */
  readonly bound?: "gram" | "fisher";
  /** Dimensions that states are projected to. Default: as they are, up to 1024. */
  readonly project?: number;
  /** Of the projection and of the resamples. Default 0. */
  readonly seed?: number;
  readonly microBatchTokens?: number;
  readonly onProgress?: (done: number) => void;
}

/** More dimensions would take minutes and gigabytes. */
const MOST_DIMENSIONS = 1024;

/** @throws ATTUNE_DATA for rows that compare nothing, and what the fit throws */
export async function fitRewardBound(options: FitRewardBound): Promise<RewardBound> {
  const { model, rows: open, ridge = 0.01, lambda = 0.01, kappa, bound: kind = "gram", seed = 0 } = options;
  if (open.type !== "preference" && open.type !== "ranking" && open.type !== "best-of") {
    const text = `Expected pairs or rankings to fit a bound on but the rows are of type ${open.type}.`;
    throw fail("ATTUNE_DATA", text);
  }
  const judgements = judgementsOf(open.rows);
  requireJudgements(judgements, kappa);
  const states = await lastStates(options);
  const inputSize = states[0]?.[0]?.length ?? 0;
  const flat = joined(states.flat(), inputSize);
  const size = options.project ?? Math.min(inputSize, MOST_DIMENSIONS);
  if (size > MOST_DIMENSIONS)
    throw fail("ATTUNE_OPTION", `Expected project to be at most ${MOST_DIMENSIONS} but received ${size}.`);
  const project = size === inputSize ? undefined : { size, words: wordsOf("project", seed) };
  const features = fitFeatures({ states: flat, inputSize, project });
  const data = {
    features: featuresOf(features, flat),
    size: features.size,
    judgements,
  };
  const reward = fitLinearReward({ ...data, ridge });
  const bound = fitLinearBound({
    ...data,
    reward,
    ridge,
    lambda,
    bound: kind,
    ...(kappa === undefined ? {} : { kappa }),
    words: wordsOf("bootstrap", seed),
  });
  return {
    features,
    projectionSeed: project === undefined ? undefined : seed,
    bound,
    reference: meanOfBest(data.features, features.size, data.judgements),
    loss: reward.loss,
    probe: await probeOf(model, options),
    dtype: model.dtype,
  };
}

/** Throws ATTUNE_DATA for judgements that would give a bound that is sure of everything. */
function requireJudgements(judgements: readonly Judgement[], kappa: Kappa | undefined): void {
  if (judgements.every(({ label, ranks }) => ranks === undefined && label === 0.5))
    throw fail("ATTUNE_DATA", "Expected a row that prefers an answer to fit a bound on but all are ties.");
  const prompts = new Set(judgements.map(({ prompt }) => prompt)).size;
  if (prompts > 1 || (kappa !== undefined && kappa !== "calibrated")) return;
  const text = "Expected judgements of two or more prompts to calibrate a bound by but all are of one.";
  throw fail("ATTUNE_DATA", `${text} Add rows, or give --kappa a number.`);
}

/** Philox words of a stream; steps, rows and positions are the draws' own. */
export function wordsOf(stream: "project" | "bootstrap", seed: number): RandomWords {
  const key = seedKey(seed);
  return ({ step, row, position }) => philox([randomStreams[stream], step, row, position], key);
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

/** How far the width can be trusted, on pairs that it was not fitted on. */
export interface BoundCoverage {
  /** Mean width of the pairs' differences. */
  readonly "uncertainty/width": number;
  /** Accuracy on pairs whose difference of scores is larger than its width: near 1 where the bound holds. */
  readonly "uncertainty/coverage": number;
  /** Share of the decided pairs that these are. */
  readonly "uncertainty/certain": number;
}

/** A pair under a bound. */
export interface BoundPair {
  /** P(the first is better); pairs of 0.5 are left out. */
  readonly label: number;
  readonly difference?: BoundScore;
}

export function boundCoverage(pairs: Iterable<BoundPair>): BoundCoverage {
  let [widths, decided, certain, right] = [0, 0, 0, 0];
  for (const { label, difference } of pairs) {
    if (difference === undefined || label === 0.5) continue;
    const { mean, width: wide } = difference;
    decided += 1;
    widths += wide;
    if (Math.abs(mean) <= wide) continue;
    certain += 1;
    if (mean > 0 === label > 0.5) right += 1;
  }
  return {
    "uncertainty/width": widths / decided,
    "uncertainty/coverage": right / certain,
    "uncertainty/certain": certain / decided,
  };
}

/** [rows][answers][hidden size] the state behind each answer's last token. */
function lastStates({
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

/** Pairs and rankings over the answers of all rows, numbered in order. */
function judgementsOf(rows: TokenisedRows): readonly Judgement[] {
  const prompts = new Map<string, number>();
  let first = 0;
  return Array.from({ length: rows.length }, (_, position) => {
    const row = rows.at(position);
    if (row === undefined) throw fail("ATTUNE_INTERNAL", `No row ${position} of ${rows.length}.`);
    const { completions, label, ranks, placed, weight, promptHash } = row;
    const prompt = prompts.get(promptHash) ?? prompts.size;
    prompts.set(promptHash, prompt);
    const items = completions.map((_, answer) => first + answer);
    first += completions.length;
    if (ranks === undefined) return { items, label, weight, prompt };
    // Answers behind the places have no order among themselves.
    return { items, ranks, weight, prompt, placed: placed ?? placesOf(ranks) };
  });
}

/** Of best of K the winner alone has a place; elsewhere all do. */
function placesOf(ranks: readonly number[]): number {
  const best = ranks.filter((rank) => rank === 1).length;
  return best === 1 && ranks.every((rank) => rank <= 2) ? 1 : ranks.length;
}

/** Nothing but ties has no best answer: then the mean of all features, which is 0. */
function meanOfBest(features: Float64Array, size: number, judgements: readonly Judgement[]): Float64Array {
  const best = judgements.flatMap(({ items, label = 1, ranks = [2 - label, 1 + label] }) => {
    const [least, most] = [Math.min(...ranks), Math.max(...ranks)];
    return least === most ? [] : items.filter((_, place) => ranks[place] === least);
  });
  const mean = new Float64Array(size);
  for (const item of best)
    for (let i = 0; i < size; i++) mean[i] = (mean[i] ?? 0) + (features[item * size + i] ?? 0) / best.length;
  return mean;
}

function joined(states: readonly Float32Array[], size: number): Float32Array {
  const flat = new Float32Array(states.length * size);
  for (const [item, state] of states.entries()) flat.set(state, item * size);
  return flat;
}

/** A sequence that every vocabulary has. */
const probeRow = { prompt: Int32Array.of(0), completions: [Int32Array.of(1, 0, 1)] };

async function probeOf(model: StatesModel, { signal }: JobOptions): Promise<Float32Array> {
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
