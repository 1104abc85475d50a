// Votes of annotators on pairs of items: games that know who judged, on what prompt, and which side was shown first.
// Must not fit anything.

import { fail } from "../errors/index.js";
import type { Game, GameTerm } from "./bradley-terry.js";

export interface Vote {
  /** Two items, from 0. */
  readonly first: number;
  readonly second: number;
  /** Of the first: 1, 0.5 (tie) or 0. */
  readonly score: number;
  /** Numbers from 0. */
  readonly annotator: number;
  readonly prompt: number;
  /** 1: the first was shown on the left; -1: on the right. 0 when unknown. */
  readonly side?: -1 | 0 | 1;
  /** What else differs, first less second, such as lengths: a number for each of the style terms. */
  readonly style?: readonly number[];
  /** Default 1. */
  readonly weight?: number;
}

/** Coefficients of terms have wide priors: only what nobody could tell is held back. */
export const TERM_PRIOR_SD = 10;
/** The first term of games of votes: the side. */
export const SIDE_TERM = 0;

/** Games that are alike are one, of their summed weight. */
export interface GameCells {
  /** Of weight 0: what it is, votes say. */
  readonly cells: readonly Game[];
  /** [votes] which cell each vote is in. */
  readonly cellOf: Int32Array;
  /** How many style terms follow the side. */
  readonly styles: number;
}

/** @throws ATTUNE_DATA for votes whose annotator or prompt is no number from 0, or that have unequal styles */
export function cellsOf(votes: readonly Vote[]): GameCells {
  const cells: Game[] = [];
  const known = new Map<string, number>();
  const styles = votes[0]?.style?.length ?? 0;
  const cellOf = new Int32Array(votes.length);
  for (const [number, vote] of votes.entries()) {
    checkVote(number, vote, styles);
    const { first, second, score, side = 0, style = [] } = vote;
    const key = [first, second, score, side, ...style].join(" ");
    let cell = known.get(key);
    if (cell === undefined) {
      cell = cells.length;
      known.set(key, cell);
      cells.push({ first, second, score, weight: 0, terms: termsOf(side, style) });
    }
    cellOf[number] = cell;
  }
  return { cells, cellOf, styles };
}

function termsOf(side: number, style: readonly number[]): readonly GameTerm[] {
  const terms = style.map((value, i) => ({ term: i + 1, value }));
  return side === 0 ? terms : [{ term: SIDE_TERM, value: side }, ...terms];
}

/** [cells] of the votes' weights, each counted `times` (once when absent). */
export function weightsOf(
  { cells, cellOf }: GameCells,
  votes: readonly Vote[],
  times?: Float64Array,
): Float64Array {
  const weights = new Float64Array(cells.length);
  for (const [number, { weight = 1 }] of votes.entries()) {
    const cell = cellOf[number] ?? 0;
    weights[cell] = (weights[cell] ?? 0) + weight * (times?.[number] ?? 1);
  }
  return weights;
}

export function weighted(cells: readonly Game[], weights: Float64Array): Game[] {
  return cells.map((cell, i) => ({ ...cell, weight: weights[i] ?? 0 }));
}

function checkVote(number: number, { annotator, prompt, style = [] }: Vote, styles: number): void {
  for (const [name, value] of [
    ["annotator", annotator],
    ["prompt", prompt],
  ] as const)
    if (!(Number.isInteger(value) && value >= 0))
      throw fail(
        "ATTUNE_DATA",
        `Vote ${number}: expected ${name} to be a whole number from 0 but found ${value}.`,
      );
  if (style.length !== styles)
    throw fail("ATTUNE_SHAPE", `Vote ${number}: expected ${styles} style terms but found ${style.length}.`);
}
