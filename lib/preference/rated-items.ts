// Ratings of items from people's votes, with what they are worth: intervals that know whose votes they are, ranks, the
// bias towards a side, and which items were never compared. Pure; must not know what the items are.

import { type BradleyTerry, fitBradleyTerry } from "./bradley-terry.js";
import { type Interval, middle95 } from "./intervals.js";
import type { RandomWords } from "./random-draws.js";
import { VoteSamples } from "./vote-sample.js";
import {
  cellsOf,
  type GameCells,
  SIDE_TERM,
  TERM_PRIOR_SD,
  type Vote,
  weighted,
  weightsOf,
} from "./votes.js";

export interface RateItems {
  readonly items: number;
  readonly votes: readonly Vote[];
  /** Of ratings; default 2. */
  readonly priorSd?: number;
  /** Default "half". */
  readonly ties?: "half" | "davidson";
  /** Bootstrap samples; default 1000. */
  readonly draws?: number;
  readonly words: RandomWords;
}

export interface RatedItem {
  /** Log-odds. */
  readonly rating: number;
  /** 95%, by resampling annotators and then the prompts that each has judged. */
  readonly interval: Interval;
  /** 1 + the number of comparable items that are surely better: whose interval begins above where this one ends. */
  readonly rank: number;
  /** Items of different groups were never compared, directly or by others: their ratings say nothing of each other. */
  readonly group: number;
  readonly votes: number;
}

export interface SideBias {
  /** Log-odds by which the left side wins between equals. */
  readonly gamma: number;
  readonly interval: Interval;
  /** The interval excludes 0, and gamma is large enough to matter. */
  readonly alarm: boolean;
}

export interface RatedItems {
  readonly items: readonly RatedItem[];
  /** Absent where no vote says what was on which side. */
  readonly side?: SideBias;
  /** Log-odds for one unit of each style term. */
  readonly styles: readonly { readonly coefficient: number; readonly interval: Interval }[];
  readonly tieStrength?: number;
  readonly groups: number;
  readonly annotators: number;
  /** Under ten annotators a bootstrap over them is too sure of itself. */
  readonly fewAnnotators: boolean;
}

const FEW_ANNOTATORS = 10;
/** Below it a bias towards one side changes no decision. */
const SMALL_BIAS = 0.2;

/** @throws ATTUNE_DATA for votes that are none */
export function rateItems(options: RateItems): RatedItems {
  const { items, votes } = options;
  const cells = cellsOf(votes);
  const fit = fitCells(options, cells, weightsOf(cells, votes));
  const draws = bootstrap(options, cells, fit);
  const intervals = draws.map((values) => middle95(values));
  const intervalOf = (at: number): Interval => intervals[at] ?? { low: Number.NaN, high: Number.NaN };
  const { group, groups } = groupsOf(items, votes);
  const counts = votesOf(items, votes);
  const sided = votes.some(({ side = 0 }) => side !== 0);
  const gamma = fit.coefficients[SIDE_TERM] ?? 0;
  const sideInterval = intervalOf(items + SIDE_TERM);
  const annotators = new Set(votes.map(({ annotator }) => annotator)).size;
  return {
    items: Array.from({ length: items }, (_, item) => ({
      rating: fit.ratings[item] ?? 0,
      interval: intervalOf(item),
      rank: rankOf(item, { intervals: intervalOf, group, items }),
      group: group[item] ?? 0,
      votes: counts[item] ?? 0,
    })),
    ...(sided ? { side: { gamma, interval: sideInterval, alarm: isAlarming(gamma, sideInterval) } } : {}),
    styles: Array.from({ length: cells.styles }, (_, i) => ({
      coefficient: fit.coefficients[i + 1] ?? 0,
      interval: intervalOf(items + i + 1),
    })),
    ...(fit.tieStrength === undefined ? {} : { tieStrength: fit.tieStrength }),
    groups,
    annotators,
    fewAnnotators: annotators < FEW_ANNOTATORS,
  };
}

export function isAlarming(gamma: number, { low, high }: Interval): boolean {
  return Math.abs(gamma) > SMALL_BIAS && (low > 0 || high < 0);
}

/** The fit of cells under weights. */
export function fitCells(
  { items, priorSd = 2, ties = "half" }: Pick<RateItems, "items" | "priorSd" | "ties">,
  { cells, styles }: GameCells,
  weights: Float64Array,
  start?: Float64Array,
): BradleyTerry {
  return fitBradleyTerry({
    items,
    games: weighted(cells, weights),
    priorSd,
    ties,
    terms: Array.from({ length: 1 + styles }, () => TERM_PRIOR_SD),
    ...(start === undefined ? {} : { start }),
  });
}

/** [items + terms][draws] */
function bootstrap(options: RateItems, cells: GameCells, fit: BradleyTerry): Float64Array[] {
  const { items, votes, draws = 1000, words } = options;
  const drawn = Array.from({ length: items + fit.coefficients.length }, () => new Float64Array(draws));
  const samples = new VoteSamples({ votes, cellOf: cells.cellOf, cells: cells.cells.length, words });
  for (let draw = 0; draw < draws; draw++) {
    const refit = fitCells(options, cells, samples.sample(draw), fit.parameters);
    for (let i = 0; i < items; i++) (drawn[i] ?? new Float64Array(0))[draw] = refit.ratings[i] ?? 0;
    for (const [i, value] of refit.coefficients.entries())
      (drawn[items + i] ?? new Float64Array(0))[draw] = value;
  }
  return drawn;
}

export interface RankedAmong {
  readonly intervals: (item: number) => Interval;
  readonly group: Int32Array;
  readonly items: number;
}

export function rankOf(item: number, { intervals, group, items }: RankedAmong): number {
  let rank = 1;
  for (let other = 0; other < items; other++)
    if (group[other] === group[item] && intervals(other).low > intervals(item).high) rank += 1;
  return rank;
}

function votesOf(items: number, votes: readonly Vote[]): Float64Array {
  const counts = new Float64Array(items);
  for (const { first, second } of votes)
    for (const item of [first, second]) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}

/** [items] which of the connected groups each is in, numbered by their first item. */
export function groupsOf(
  items: number,
  votes: readonly { readonly first: number; readonly second: number }[],
): { readonly group: Int32Array; readonly groups: number } {
  const parent = Int32Array.from({ length: items }, (_, i) => i);
  const rootOf = (item: number): number => {
    let root = item;
    while ((parent[root] ?? root) !== root) root = parent[root] ?? root;
    for (let at = item; at !== root; ) {
      const next = parent[at] ?? root;
      parent[at] = root;
      at = next;
    }
    return root;
  };
  for (const { first, second } of votes) {
    const [a, b] = [rootOf(first), rootOf(second)];
    parent[Math.max(a, b)] = Math.min(a, b);
  }
  const numbers = new Map<number, number>();
  const group = Int32Array.from({ length: items }, (_, item) => {
    const root = rootOf(item);
    const known = numbers.get(root) ?? numbers.size;
    numbers.set(root, known);
    return known;
  });
  return { group, groups: numbers.size };
}
