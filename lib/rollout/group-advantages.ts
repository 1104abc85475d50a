// Advantages of answers against the other answers to their prompt: RLOO and GRPO. Pure, double precision.
// A reward that is NaN is none: it is in no baseline and its answer's advantage is 0, as is that of an answer alone.

import { fail } from "../errors/index.js";
import { meanOf, type Numbers, varianceOf } from "./sequences.js";

/** What GRPO divides by. */
export type GroupScale = "group" | "batch" | "none";

export interface GroupRewards {
  /** [prompts * samples] all answers to a prompt one behind the other; NaN: no reward. */
  readonly rewards: Numbers;
  /** Answers of each prompt. */
  readonly samples: number;
}

/** Added to standard deviations. */
const EPSILON = 1e-4;

/**
 * [prompts * samples] GRPO (Shao et al. 2024, arXiv 2402.03300): A = (R - mean of the group) / (std + 1e-4), std over n - 1 of
 * the group or of all rewards; "none": A = R - mean of the group (Liu et al. 2025, arXiv 2503.20783). Throws ATTUNE_SHAPE.
 */
export function groupAdvantages(request: GroupRewards & { readonly scale: GroupScale }): Float64Array {
  const { rewards, scale } = request;
  const ofBatch = scale === "batch" ? deviationOf(Array.from(rewards).filter(isReward)) : 0;
  return byGroup(request, (known) => {
    const mean = meanOf(known);
    const divisor = scale === "none" ? 1 : (scale === "group" ? deviationOf(known) : ofBatch) + EPSILON;
    return known.map((reward) => (reward - mean) / divisor);
  });
}

/**
 * [prompts * samples] RLOO (Ahmadian et al. 2024, arXiv 2402.14740): A_i = R_i - mean of the prompt's other rewards. With
 * `normalise` all advantages are centred and divided by std + 1e-4, std over n - 1. Throws ATTUNE_SHAPE.
 */
export function leaveOneOutAdvantages(
  request: GroupRewards & { readonly normalise?: boolean },
): Float64Array {
  const advantages = byGroup(request, (known) => {
    const sum = known.reduce((total, reward) => total + reward, 0);
    return known.map((reward) => reward - (sum - reward) / (known.length - 1));
  });
  if (request.normalise !== true) return advantages;
  const compared = comparedOf(request);
  const known = Array.from(advantages).filter((_, i) => compared[i] === 1);
  const [mean, divisor] = [meanOf(known), deviationOf(known) + EPSILON];
  return advantages.map((advantage, i) => (compared[i] === 1 ? (advantage - mean) / divisor : 0));
}

/** [prompts * samples] 1 where an answer has a reward and another of its group has one too. */
export function comparedOf(request: GroupRewards): Uint8Array {
  return Uint8Array.from(byGroup(request, (known) => known.map(() => 1)));
}

/** Advantages of each group's rewards, put where they belong; 0 elsewhere. */
function byGroup(
  { rewards, samples }: GroupRewards,
  advantagesOf: (known: readonly number[]) => readonly number[],
): Float64Array {
  expectGroups(rewards, samples);
  const advantages = new Float64Array(rewards.length);
  for (let first = 0; first < rewards.length; first += samples) {
    const places = Array.from({ length: samples }, (_, i) => first + i);
    const rewarded = places.filter((place) => isReward(rewards[place] ?? Number.NaN));
    if (rewarded.length < 2) continue;
    const found = advantagesOf(rewarded.map((place) => rewards[place] ?? Number.NaN));
    for (const [i, place] of rewarded.entries()) advantages[place] = found[i] ?? Number.NaN;
  }
  return advantages;
}

/** Throws ATTUNE_SHAPE unless the rewards are whole groups. */
export function expectGroups(rewards: Numbers, samples: number): void {
  if (Number.isSafeInteger(samples) && samples >= 1 && rewards.length % samples === 0) return;
  const text = `Expected rewards in groups of ${samples} but received ${rewards.length}.`;
  throw fail("ATTUNE_SHAPE", text);
}

export function isReward(reward: number): boolean {
  return !Number.isNaN(reward);
}

function deviationOf(values: readonly number[]): number {
  return Math.sqrt(varianceOf(values, { unbiased: true }));
}
