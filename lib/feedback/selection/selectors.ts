// The selectors by name: what an open item is worth asking, as scores of its answers say. Pure; must not know the store.

import { stillBest, width } from "../../preference/index.js";
import type { SelectorName } from "../project-settings.js";
import { meanOf, pairProbabilities, pairsOf } from "./pair-probabilities.js";
import type { ScoredItem, SelectionContext, Selector } from "./scored-item.js";

/** All the same: what active choice is compared with. */
const random: Selector = (items) => items.map(() => 0);

/**
 * How much an answer would tell of which head is right (Houlsby et al. 2011, arXiv 1112.5745): H(mean p) - mean H(p), nats,
 * of an item's most disputed pair. Heads that all say 0.5 score 0: it is a tie, and nothing to learn.
 */
const disagreement: Selector = (items) =>
  items.map((item) =>
    largest(item, (pair) => {
      const probabilities = pairProbabilities(item, pair);
      return entropy(meanOf(probabilities)) - meanOf(probabilities.map(entropy));
    }),
  );

/** How far apart the heads' mean puts two answers: sure judgements, for checking rather than for learning. */
const gap: Selector = (items) =>
  items.map((item) =>
    largest(item, ([first, second]) =>
      Math.abs(meanOf(item.heads[first] ?? []) - meanOf(item.heads[second] ?? [])),
    ),
  );

/**
 * Width of the difference of two answers that may both still be the best to their prompt (semantics 5): what the bound
 * has ruled out is not worth asking. All open items of a prompt compete. Without a bound all are the same.
 */
const optimistic: Selector = (items, { bound }: SelectionContext) => {
  if (bound === undefined) return random(items, {});
  const kept = keptAnswers(items, { bound });
  return items.map((item, place) =>
    largest(item, ([first, second]) => {
      const [a, b] = [item.features?.[first], item.features?.[second]];
      const mayBeBest = kept[place]?.has(first) === true && kept[place]?.has(second) === true;
      if (a === undefined || b === undefined || !mayBeBest) return 0;
      return width(
        bound,
        a.map((entry, i) => entry - (b[i] ?? 0)),
      );
    }),
  );
};

/** The selectors that a project may name. */
export const selectorsByName: Readonly<Record<SelectorName, Selector>> = {
  random,
  disagreement,
  optimistic,
  gap,
};

/** [items] answers that may still be the best among all of their prompt. */
function keptAnswers(
  items: readonly ScoredItem[],
  { bound }: Required<SelectionContext>,
): readonly ReadonlySet<number>[] {
  const kept = items.map(() => new Set<number>());
  if (bound === undefined) return kept;
  const prompts = new Map<string, number[]>();
  for (const [place, { promptHash }] of items.entries())
    prompts.set(promptHash, [...(prompts.get(promptHash) ?? []), place]);
  for (const places of prompts.values()) {
    const answers = places.flatMap((place) =>
      (items[place]?.features ?? []).map((feature, answer) => ({ place, answer, feature })),
    );
    for (const best of stillBest(
      bound,
      answers.map(({ feature }) => feature),
    )) {
      const one = answers[best];
      if (one !== undefined) kept[one.place]?.add(one.answer);
    }
  }
  return kept;
}

/** Over the pairs of an item's answers; an item of one answer has none, and is worth 0. */
function largest(item: ScoredItem, value: (pair: readonly [number, number]) => number): number {
  const values = pairsOf(item.heads.length).map(value);
  return values.length === 0 ? 0 : Math.max(...values);
}

/** Of a coin with this probability, nats. */
function entropy(p: number): number {
  return p <= 0 || p >= 1 ? 0 : -p * Math.log(p) - (1 - p) * Math.log(1 - p);
}
