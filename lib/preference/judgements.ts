// Judgements over features: which items were compared, and how. Pairs and rankings in one form, as choices from pools.
// Must not fit anything.

import { fail } from "../errors/index.js";

/** A comparison of items, by their rows in a table of features. */
export interface Judgement {
  readonly items: readonly number[];
  /** Of a pair: P(items[0] is better), 1 when absent. */
  readonly label?: number;
  /** Of a ranking: one rank per item, 1 best, equal = tie. Without it `items` is a pair. */
  readonly ranks?: readonly number[];
  /** Of a ranking of which only the best so many have a place (1: best of K); the others are in no order. */
  readonly placed?: number;
  /** Scales its loss; 1 when absent. */
  readonly weight?: number;
  /** Judgements that share it belong to one prompt and are drawn together; its own prompt when absent. */
  readonly prompt?: number;
}

/** Features of items and what was said about them. */
export interface Judgements {
  /** [items x size], row after row. */
  readonly features: Float64Array;
  readonly size: number;
  readonly judgements: readonly Judgement[];
}

/** Scores of a pool are turned into probabilities; `wins` says how much of the choice fell on each. Sums to 1. */
export interface Choice {
  readonly pool: readonly number[];
  readonly wins: readonly number[];
}

/**
 * The choices that a judgement consists of. A pair is one choice, of a soft label shared between both. A ranking is, for
 * each item, the choice of it from all that are ranked no better (Plackett-Luce; tied items share a pool: Breslow); pools
 * of one say nothing.
 */
export function choicesOf({ items, label = 1, ranks, placed = items.length }: Judgement): readonly Choice[] {
  if (ranks === undefined) return [{ pool: items, wins: [label, 1 - label] }];
  return items.flatMap((_, chosen) => {
    const rank = ranks[chosen] ?? 0;
    const places = items.map((_, place) => place).filter((place) => (ranks[place] ?? 0) >= rank);
    if (places.length < 2 || items.length - places.length >= placed) return [];
    return [
      {
        pool: places.map((place) => items[place] ?? 0),
        wins: places.map((place) => (place === chosen ? 1 : 0)),
      },
    ];
  });
}

/** @throws ATTUNE_SHAPE for items that have no features, ATTUNE_DATA for judgements that say nothing */
export function checkJudgements({ features, size, judgements }: Judgements): void {
  if (!Number.isInteger(size) || size < 1 || features.length % size !== 0) {
    throw fail(
      "ATTUNE_SHAPE",
      `features: expected rows of ${size} numbers but got ${features.length} numbers.`,
    );
  }
  const bad = features.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const where = `item ${Math.floor(bad / size)}, dimension ${bad % size}`;
    throw fail(
      "ATTUNE_NOT_FINITE",
      `features: expected finite numbers but found ${features[bad]} at ${where}.`,
    );
  }
  if (judgements.length === 0)
    throw fail(
      "ATTUNE_NO_ROWS",
      "Expected at least one judgement to fit a linear reward on but received none.",
    );
  const count = features.length / size;
  for (const [number, judgement] of judgements.entries()) {
    const problem = problemOfJudgement(judgement, count);
    if (problem !== undefined) throw fail("ATTUNE_DATA", `Judgement ${number}: ${problem}.`);
  }
}

/** What is wrong with one; undefined: nothing. */
export function problemOfJudgement(
  { items, label = 1, ranks, weight = 1 }: Judgement,
  count: number,
): string | undefined {
  const unknown = items.find((item) => !(Number.isInteger(item) && item >= 0 && item < count));
  if (unknown !== undefined) return `expected items from 0 to ${count - 1} but found ${unknown}`;
  if (new Set(items).size < items.length) return `expected different items but found ${items.join(", ")}`;
  if (items.length < 2) return `expected two items or more but found ${items.length}`;
  if (!(weight >= 0 && Number.isFinite(weight))) return `expected a weight >= 0 but found ${weight}`;
  if (ranks === undefined) {
    if (items.length !== 2) return `expected ranks for ${items.length} items but found none`;
    return label >= 0 && label <= 1 ? undefined : `expected a label from 0 to 1 but found ${label}`;
  }
  if (ranks.length === items.length) return undefined;
  return `expected ${items.length} ranks but found ${ranks.length}`;
}
