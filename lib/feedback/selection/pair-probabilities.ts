// What the heads of an ensemble say of two answers: the probability of each head that the first is better. Pure.

import type { ItemScores } from "./scored-item.js";

/** [heads] sigmoid(r_first - r_second); rewards are free up to a constant of each head, which a difference does not know. */
export function pairProbabilities(
  { heads }: ItemScores,
  [first, second]: readonly [number, number] = [0, 1],
): readonly number[] {
  const [left = [], right = []] = [heads[first], heads[second]];
  return left.map((score, head) => 1 / (1 + Math.exp((right[head] ?? Number.NaN) - score)));
}

/** P(the first answer is better), as the heads say together. */
export function meanProbability(scores: ItemScores): number {
  return meanOf(pairProbabilities(scores));
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Every two of so many answers. */
export function pairsOf(answers: number): readonly (readonly [number, number])[] {
  return Array.from({ length: answers }, (_, first) =>
    Array.from({ length: answers - first - 1 }, (_, i) => [first, first + 1 + i] as const),
  ).flat();
}
