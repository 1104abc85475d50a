// Votes of simulated annotators with a known truth, for tests of ratings. Philox, so the same for the same seed.

import { philox, seedKey } from "../../lib/data/index.js";
import type { Vote } from "../../lib/preference/index.js";

export interface SimulatedVotes {
  readonly seed: number;
  /** [items] true ratings in log-odds. */
  readonly ratings: readonly number[];
  readonly annotators: number;
  /** Votes of each annotator, every one on a prompt of its own. */
  readonly each: number;
  /** Log-odds by which the left side wins. */
  readonly gamma?: number;
  /** Deviation of the annotators' own biases. */
  readonly ownBias?: number;
  /** Share of ties. */
  readonly ties?: number;
}

/** Uniform in [0, 1): number `index` of annotator `row`. */
export function uniform(seed: number, row: number, index: number): number {
  return (philox([8, 0, row, index >> 2], seedKey(seed))[index & 3] ?? 0) / 2 ** 32;
}

export function simulatedVotes(options: SimulatedVotes): Vote[] {
  const { seed, ratings, annotators, each, gamma = 0, ownBias = 0, ties = 0 } = options;
  const votes: Vote[] = [];
  for (let annotator = 0; annotator < annotators; annotator++) {
    // Sum of four uniforms: near enough to normal, of variance 1/3.
    const draw = (index: number) => uniform(seed, annotator, index);
    const own = ownBias * Math.sqrt(3) * (draw(0) + draw(1) + draw(2) + draw(3) - 2);
    for (let vote = 0; vote < each; vote++) {
      const at = 4 + 5 * vote;
      const first = Math.floor(draw(at) * ratings.length);
      const second = (first + 1 + Math.floor(draw(at + 1) * (ratings.length - 1))) % ratings.length;
      const side = draw(at + 2) < 0.5 ? 1 : -1;
      const eta = (ratings[first] ?? 0) - (ratings[second] ?? 0) + side * (gamma + own);
      const won = draw(at + 3) < 1 / (1 + Math.exp(-eta));
      const tied = draw(at + 4) < ties;
      votes.push({ first, second, score: tied ? 0.5 : won ? 1 : 0, annotator, prompt: vote, side });
    }
  }
  return votes;
}
