// What becomes of scores before they are rewards: answers that did not end, clipping, running normalisation.
// Pure, double precision. A score that is NaN means that no source rewarded the sample; it stays NaN.

import { fail } from "../errors/index.js";
import type { Numbers } from "./sequences.js";

/** "replace": the score becomes `value`; "subtract": `value` is taken off; "none". */
export type MissingEosTreatment = "replace" | "subtract" | "none";

export interface TreatMissingEos {
  /** [samples] */
  readonly scores: Numbers;
  /** [samples] 1 where the answer ended with a stop token. */
  readonly ended: Numbers;
  readonly treatment: MissingEosTreatment;
  /** Default: -1 to replace with, 1 to subtract. */
  readonly value?: number;
}

/**
 * [samples] The EOS trick (Huang et al. 2024, arXiv 2403.17031): an answer that its length limit cut scores S' = value, or
 * S' = S - value.
 */
export function treatMissingEos({ scores, ended, treatment, value }: TreatMissingEos): Float64Array {
  return Float64Array.from(scores, (score, i) => {
    if (treatment === "none" || ended[i] === 1 || Number.isNaN(score)) return score;
    return treatment === "replace" ? (value ?? -1) : score - (value ?? 1);
  });
}

/** [samples] min(max(S, -limit), limit). Throws ATTUNE_OPTION for a limit that is not above 0. */
export function clipScores(scores: Numbers, limit: number): Float64Array {
  if (!(limit > 0)) throw fail("ATTUNE_OPTION", `Expected a limit of scores above 0 but received ${limit}.`);
  return Float64Array.from(scores, (score) => Math.min(Math.max(score, -limit), limit));
}

/** Count, mean and sum of squared distances to the mean of all scores so far. A plain object: saved and restored as it is. */
export interface RunningMoments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

export const noMoments: RunningMoments = { count: 0, mean: 0, squares: 0 };

/**
 * The moments with more scores, one after the other (Welford 1962): n += 1; delta = S - mean; mean += delta / n;
 * squares += delta (S - mean).
 */
export function withScores(moments: RunningMoments, scores: Numbers): RunningMoments {
  let { count, mean, squares } = moments;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? Number.NaN;
    if (Number.isNaN(score)) continue;
    count += 1;
    const delta = score - mean;
    mean += delta / count;
    squares += delta * (score - mean);
  }
  return { count, mean, squares };
}

/** [samples] (S - mean) / sqrt(squares / count + 1e-8), of moments that `withScores` has shown these scores already. */
export function normaliseScores(scores: Numbers, { count, mean, squares }: RunningMoments): Float64Array {
  const scale = 1 / Math.sqrt((count === 0 ? 0 : squares / count) + 1e-8);
  return Float64Array.from(scores, (score) => (score - mean) * scale);
}
