// The stop rule of a loop (semantics 10): people compare the newest policy with the best one so far on validation prompts,
// which are never trained on. Must not stop anything.

import { weightOf } from "../model-ratings.js";
import type { Database } from "../store/tables.js";
import type { LoopMemory } from "./loop-memory.js";
import type { GoldContest } from "./loop-status.js";
import { newVotes } from "./new-votes.js";

/** 95% quantile of the standard normal distribution. */
const Z = 1.6448536269514722;

/** Policies running that must be worse. */
const NEEDED = 2;

export interface GoldContestOptions {
  readonly reading: Database;
  readonly project: string;
  readonly policy: string;
  readonly against: string;
  /** Of the log: the contest is younger. */
  readonly since: number;
}

/**
 * Votes on pairs of one answer of each. All of them count, by the inverse of their propensity: as if all had been drawn
 * uniformly (reference/feedback.md, 6).
 */
export async function goldContest(options: GoldContestOptions): Promise<GoldContest> {
  const { reading, project, policy, against, since } = options;
  let [votes, weights, sum, squares, weightSquares] = [0, 0, 0, 0, 0];
  for (const { judgement, item, better } of await newVotes(reading, project, since)) {
    if (item.split !== "valid") continue;
    const ours = item.answers.findIndex((answer) => answer.policy === policy);
    const theirs = item.answers.findIndex((answer) => answer.policy === against);
    if (ours < 0 || theirs < 0 || item.answers.length !== 2) continue;
    if (!judgement.values.some(({ kind }) => kind === "pair")) continue;
    const value = better === undefined ? 0 : better === ours ? 1 : -1;
    const weight = weightOf(judgement);
    votes += 1;
    weights += weight;
    sum += weight * value;
    squares += weight * value * value;
    weightSquares += weight * weight;
  }
  if (votes === 0) return { policy, against, votes, difference: null, upperBound: null };
  const difference = sum / weights;
  // Unequal weights are worth fewer votes (Kish 1965).
  const worth = (weights * weights) / weightSquares;
  const variance = Math.max(0, squares / weights - difference ** 2) / Math.max(1, worth - 1);
  return { policy, against, votes, difference, upperBound: difference + Z * Math.sqrt(variance) };
}

/** What a contest changes: the better policy is the best one; the stop comes when two running were worse. */
export function afterContest(
  { best, below }: Pick<LoopMemory, "best" | "below">,
  { policy, votes, difference, upperBound }: GoldContest,
  goldVotes: number,
): { readonly best: string; readonly below: number; readonly stop: boolean } {
  if (votes < goldVotes || difference === null || upperBound === null) return { best, below, stop: false };
  if (difference > 0) return { best: policy, below: 0, stop: false };
  const worse = upperBound < 0 ? below + 1 : 0;
  return { best, below: worse, stop: worse >= NEEDED };
}
