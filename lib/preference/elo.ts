// Elo ratings (Elo 1978): each game moves two items by what it surprised. The order of games matters; for display, or
// averaged over orders. Pure; must not know what the items are.

import { fail } from "../errors/index.js";
import { type RandomWords, wholeBelow } from "./random-draws.js";

export interface EloGame {
  readonly first: number;
  readonly second: number;
  /** Of the first: 1, 0.5 or 0. */
  readonly score: number;
}

export interface EloOptions {
  readonly items: number;
  readonly games: readonly EloGame[];
  /** Points that a complete surprise moves. Default 4. */
  readonly step?: number;
  /** Default 1000. */
  readonly start?: number;
}

/** [items] after all games in order: E = 1 / (1 + 10^((R_b - R_a) / 400)), R_a += step (score - E), R_b the opposite. */
export function eloRatings({ items, games, step = 4, start = 1000 }: EloOptions): Float64Array {
  const ratings = new Float64Array(items).fill(start);
  for (const [number, { first, second, score }] of games.entries()) {
    const [a, b] = [ratings[first], ratings[second]];
    if (a === undefined || b === undefined || first === second || !(score >= 0 && score <= 1)) {
      const found = `${first} and ${second} with score ${score}`;
      throw fail(
        "ATTUNE_DATA",
        `Game ${number}: expected two items below ${items} and a score from 0 to 1 but found ${found}.`,
      );
    }
    const expected = 1 / (1 + 10 ** ((b - a) / 400));
    ratings[first] = a + step * (score - expected);
    ratings[second] = b - step * (score - expected);
  }
  return ratings;
}

export interface AveragedElo extends EloOptions {
  /** Default 100. */
  readonly orders?: number;
  readonly words: RandomWords;
}

/** [items] the mean over shuffled orders, which no longer says who played late. */
export function averagedElo({ orders = 100, words, ...options }: AveragedElo): Float64Array {
  const sum = new Float64Array(options.items);
  const games = [...options.games];
  for (let order = 0; order < orders; order++) {
    // Fisher and Yates, from the order before: any start will do.
    for (let last = games.length - 1; last > 0; last--) {
      const other = wholeBelow(words, last + 1, order, last);
      const [a, b] = [games[last], games[other]];
      if (a !== undefined && b !== undefined) [games[last], games[other]] = [b, a];
    }
    for (const [item, rating] of eloRatings({ ...options, games }).entries())
      sum[item] = (sum[item] ?? 0) + rating / orders;
  }
  return sum;
}
