// Sets where the scores of a trained reward model lie: reference completions get mean 0, and unit spread where asked for.
// Must not know what the model was trained on.

import { createHash, type Hash } from "node:crypto";
import { packStep, type TokenisedRow, type TokenisedRows } from "../data/index.js";
import type { JobOptions, ScoreNormalisation, TrainableModel } from "../engine/contract.js";
import { fail } from "../errors/index.js";
import { evaluationParts } from "./evaluation.js";

export interface NormaliseScores {
  readonly model: TrainableModel;
  /** Reference completions: every completion of every row. */
  readonly rows: TokenisedRows;
  /** "unit": divide by the standard deviation as well. */
  readonly mode: "mean" | "unit";
  readonly microBatchTokens: number;
  readonly job: JobOptions;
}

/**
 * b = -mean(w h) of every head by itself, and with "unit" w and b divided by the standard deviation. Sums are in double
 * precision, in the order of the rows.
 * @throws ATTUNE_NOT_FINITE, ATTUNE_DATA where a head gives all reference completions one score
 */
export async function normaliseScores(request: NormaliseScores): Promise<ScoreNormalisation> {
  const { model, mode } = request;
  const { mean, std, count, dataHash } = await referenceScores(request);
  const unitStd = mode === "unit";
  if (unitStd) await model.scaleScoreHeads(std.map((spread) => 1 / requireSpread(spread, count)));
  const bias = mean.map((value, head) => -value / (unitStd ? (std[head] ?? 1) : 1));
  const normalisation = { bias, mean, std, count, dataHash, unitStd };
  model.scoreNormalisation = normalisation;
  return normalisation;
}

function requireSpread(std: number, count: number): number {
  if (std > 0) return std;
  const text = `Expected reference completions of different scores but all ${count} have the same one`;
  throw fail("ATTUNE_DATA", `${text}: they have no spread to divide by. Use --normalise mean.`);
}

interface ReferenceScores {
  readonly mean: readonly number[];
  /** Population standard deviation. */
  readonly std: readonly number[];
  readonly count: number;
  readonly dataHash: string;
}

async function referenceScores({
  model,
  rows,
  microBatchTokens,
  job,
}: NormaliseScores): Promise<ReferenceScores> {
  const hash = createHash("sha256");
  const heads = Array.from({ length: model.scoreHeads }, () => new RunningMoments());
  for (const part of evaluationParts(rows)) {
    for (const position of part) addTokens(hash, rows.at(position));
    for (const batch of packStep({ data: rows, rows: part, microBatchTokens, score: true })) {
      const scores = await model.scores(batch, job);
      for (const [i, score] of scores.entries()) heads[i % heads.length]?.add(score);
    }
  }
  const wrong = heads.find(({ mean }) => !Number.isFinite(mean));
  if (wrong !== undefined)
    throw fail("ATTUNE_NOT_FINITE", `The scores of the reference completions have the mean ${wrong.mean}.`);
  return {
    mean: heads.map(({ mean }) => mean),
    std: heads.map(({ std }) => std),
    count: heads[0]?.count ?? 0,
    dataHash: hash.digest("hex"),
  };
}

/** Prompt and completions with their borders. */
function addTokens(hash: Hash, row: TokenisedRow | undefined): void {
  if (row === undefined) return;
  for (const ids of [row.prompt, ...row.completions]) {
    hash.update(`${ids.length}\n`);
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  }
}

/** Mean and variance in one pass (Welford 1962). */
class RunningMoments {
  count = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count += 1;
    const before = value - this.mean;
    this.mean += before / this.count;
    this.#squares += before * (value - this.mean);
  }

  get std(): number {
    return Math.sqrt(this.#squares / this.count);
  }
}
