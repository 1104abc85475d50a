// Ratings of items from people's rankings (Plackett and Luce), with intervals that know whose rankings they are: the same as
// rated-items.ts gives for votes on pairs. A pair is a ranking of two. Pure; must not know what the items are.

import { middle95 } from "./intervals.js";
import { fitPlackettLuce, type RankedItems } from "./plackett-luce.js";
import type { RandomWords } from "./random-draws.js";
import { groupsOf, type RatedItem, rankOf } from "./rated-items.js";
import { VoteSamples } from "./vote-sample.js";

export interface RankingVote extends RankedItems {
  /** Numbers from 0. */
  readonly annotator: number;
  readonly prompt: number;
}

export interface RateRankings {
  readonly items: number;
  readonly rankings: readonly RankingVote[];
  /** Of ratings; default 2. */
  readonly priorSd?: number;
  /** Bootstrap samples; default 1000. */
  readonly draws?: number;
  readonly words: RandomWords;
}

export interface RatedRankings {
  readonly items: readonly RatedItem[];
  readonly annotators: number;
}

/** `votes` of an item: rankings that it is in. @throws ATTUNE_DATA for rankings that are none */
export function rateRankings({
  items,
  rankings,
  priorSd = 2,
  draws = 1000,
  words,
}: RateRankings): RatedRankings {
  const { cells, cellOf } = cellsOf(rankings);
  const ratingsUnder = (weights: Float64Array, start?: Float64Array) => {
    const weighted = cells.map((cell, i) => ({ ...cell, weight: weights[i] ?? 0 }));
    return fitPlackettLuce({ items, rankings: weighted, priorSd, ...(start === undefined ? {} : { start }) })
      .ratings;
  };
  const all = new Float64Array(cells.length);
  for (const [number, { weight = 1 }] of rankings.entries()) {
    const cell = cellOf[number] ?? 0;
    all[cell] = (all[cell] ?? 0) + weight;
  }
  const ratings = ratingsUnder(all);
  const drawn = Array.from({ length: items }, () => new Float64Array(draws));
  const samples = new VoteSamples({ votes: rankings, cellOf, cells: cells.length, words });
  for (let draw = 0; draw < draws; draw++) {
    const refit = ratingsUnder(samples.sample(draw), ratings);
    for (const [item, values] of drawn.entries()) values[draw] = refit[item] ?? 0;
  }
  const middles = drawn.map((values) => middle95(values));
  const intervals = (item: number) => middles[item] ?? { low: Number.NaN, high: Number.NaN };
  const { group } = groupsOf(items, neighbours(rankings));
  const counts = new Float64Array(items);
  for (const ranking of rankings) for (const item of ranking.items) counts[item] = (counts[item] ?? 0) + 1;
  return {
    items: Array.from({ length: items }, (_, item) => ({
      rating: ratings[item] ?? 0,
      interval: intervals(item),
      rank: rankOf(item, { intervals, group, items }),
      group: group[item] ?? 0,
      votes: counts[item] ?? 0,
    })),
    annotators: new Set(rankings.map(({ annotator }) => annotator)).size,
  };
}

/** Items of one ranking were compared with each other. */
function neighbours(rankings: readonly RankedItems[]) {
  return rankings.flatMap(({ items }) =>
    items.slice(1).map((second, i) => ({ first: items[i] ?? 0, second })),
  );
}

/** Rankings that are alike are one, of their summed weight. */
function cellsOf(rankings: readonly RankedItems[]) {
  const cells: RankedItems[] = [];
  const known = new Map<string, number>();
  const cellOf = new Int32Array(rankings.length);
  for (const [number, { items, ranks, placed }] of rankings.entries()) {
    const key = JSON.stringify([items, ranks, placed]);
    let cell = known.get(key);
    if (cell === undefined) {
      cell = cells.length;
      known.set(key, cell);
      cells.push({ items, ranks, ...(placed === undefined ? {} : { placed }) });
    }
    cellOf[number] = cell;
  }
  return { cells, cellOf };
}
