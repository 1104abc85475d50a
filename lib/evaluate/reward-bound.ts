// Fits the linear bound on a model's states to judged rows, and measures how far its widths can be trusted.
// Must not print or write files (bound-file.ts keeps it), nor score rows: lib/rollout/bound-scores.ts does.

import { philox, randomStreams, seedKey, type TokenisedRows } from "../data/index.js";
import type { FrozenModel, JobOptions } from "../engine/index.js";
import { fail } from "../errors/index.js";
import {
  featuresOf,
  fitFeatures,
  fitLinearBound,
  fitLinearReward,
  type Judgement,
  type Kappa,
  type RandomWords,
} from "../preference/index.js";
import { type BoundScore, lastStates, probeOf, type RewardBound } from "../rollout/index.js";
import type { EvaluationRows } from "./evaluation-rows.js";

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
