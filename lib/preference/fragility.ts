// How few votes, and how few annotators, would have to be missing for two neighbours in the ranking to change places
// (Huang, Shen, Wei & Broderick 2025, "Dropping just a handful of preferences can change top rankings"). Narrow intervals are not robustness.
// Pure; must not know what the items are.

import { type BradleyTerry, slopesOf } from "./bradley-terry.js";
import { solve } from "./cholesky.js";
import { groupedBy } from "./grouped.js";
import { fitCells, type RateItems } from "./rated-items.js";
import { cellsOf, type GameCells, type Vote, weightsOf } from "./votes.js";

export interface Fragility {
  /** Two neighbours by rating, the better one first. */
  readonly above: number;
  readonly below: number;
  /** The fewest votes found whose removal swaps them, confirmed by a fit without them; undefined: no removal did. */
  readonly votes?: number;
  readonly annotators?: number;
}

/** Ratings that differ by rounding are equal. */
const TIED = 1e-9;

export type FragilityOptions = Pick<RateItems, "items" | "votes" | "priorSd" | "ties">;

/** Of every two that are neighbours within their group; votes are dropped in order of their influence. */
export function fragilityOf(options: FragilityOptions, group: ArrayLike<number>): Fragility[] {
  const cells = cellsOf(options.votes);
  const fit = fitCells(options, cells, weightsOf(cells, options.votes));
  const order = Array.from(fit.ratings, (_, item) => item).sort(
    (a, b) => (fit.ratings[b] ?? 0) - (fit.ratings[a] ?? 0) || a - b,
  );
  const people = [...groupedBy(options.votes.keys(), (vote) => options.votes[vote]?.annotator).values()];
  const votes = options.votes.map((_, number) => [number]);
  const found: Fragility[] = [];
  const lowest = new Map<number | undefined, number>();
  for (const below of order) {
    const above = lowest.get(group[below]);
    lowest.set(group[below], below);
    if (above === undefined) continue;
    const influence = influencesOf(options.votes, cells, fit, { above, below });
    const fewestVotes = fewest({ options, cells, fit, above, below, influence, units: votes });
    const fewestPeople = fewest({ options, cells, fit, above, below, influence, units: people });
    found.push({
      above,
      below,
      ...(fewestVotes === undefined ? {} : { votes: fewestVotes }),
      ...(fewestPeople === undefined ? {} : { annotators: fewestPeople }),
    });
  }
  return found;
}

interface Neighbours {
  readonly above: number;
  readonly below: number;
}

/** [votes] by how much the distance of two items changes when a vote is dropped: (e_i - e_j)' H^-1 times its gradient. */
function influencesOf(
  votes: readonly Vote[],
  { cells, cellOf }: GameCells,
  fit: BradleyTerry,
  { above, below }: Neighbours,
): Float64Array {
  const direction = new Float64Array(fit.hessian.size);
  direction[above] = 1;
  direction[below] = -1;
  const solved = solve(fit.hessian, direction);
  const ofCell = slopesOf(cells, fit).map((gradient) =>
    gradient.reduce((sum, { at, value }) => sum + value * (solved[at] ?? 0), 0),
  );
  return Float64Array.from(votes, ({ weight = 1 }, number) => weight * (ofCell[cellOf[number] ?? 0] ?? 0));
}

interface Search extends Neighbours {
  readonly options: FragilityOptions;
  readonly cells: GameCells;
  readonly fit: BradleyTerry;
  readonly influence: Float64Array;
  /** Votes that are dropped together. */
  readonly units: readonly (readonly number[])[];
}

/**
 * Units in order of influence; the number that the linear forecast names, then up or down one by one: a fit decides.
 * Undefined when nothing that pulls them apart is left to drop.
 */
function fewest({ options, cells, fit, above, below, influence, units }: Search): number | undefined {
  const pull = units.map((unit) => unit.reduce((sum, vote) => sum + (influence[vote] ?? 0), 0));
  const order = units.map((_, unit) => unit).sort((a, b) => (pull[a] ?? 0) - (pull[b] ?? 0) || a - b);
  const helpful = order.filter((unit) => (pull[unit] ?? 0) < 0);
  const swapped = (count: number): boolean => {
    const times = new Float64Array(options.votes.length).fill(1);
    for (const unit of helpful.slice(0, count)) for (const vote of units[unit] ?? []) times[vote] = 0;
    const weights = weightsOf(cells, options.votes, times);
    const { ratings } = fitCells(options, cells, weights, fit.parameters);
    return (ratings[below] ?? 0) - (ratings[above] ?? 0) > TIED;
  };
  let distance = (fit.ratings[above] ?? 0) - (fit.ratings[below] ?? 0);
  let count = 0;
  while (distance >= 0 && count < helpful.length) {
    distance += pull[helpful[count] ?? 0] ?? 0;
    count += 1;
  }
  if (swapped(count)) {
    while (count > 1 && swapped(count - 1)) count -= 1;
    return count;
  }
  for (count += 1; count <= helpful.length; count++) if (swapped(count)) return count;
  return undefined;
}
