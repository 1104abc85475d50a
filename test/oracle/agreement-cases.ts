// Rating and agreement cases of the oracle: Bradley-Terry, Plackett-Luce, Elo, Krippendorff, Cohen, Fleiss, Kendall,
// Wilson, from lib/preference. Must not compute anything of it again.

import {
  cohenKappa,
  eloRatings,
  fitBradleyTerry,
  fitPlackettLuce,
  fleissKappa,
  krippendorffAlpha,
  rankCorrelationOf,
  wilsonInterval,
} from "../../lib/preference/index.js";
import { Comparison } from "../support/oracle-compare.js";
import { type LossCase, type LossFile, numberOf, numbersOf, parameterOf } from "./loss-file.js";

type GameRow = readonly [first: number, second: number, score: number];

export interface GameInputs {
  readonly games: { readonly items: number; readonly list: readonly GameRow[] };
  readonly rankings: { readonly items: number; readonly best_first: readonly (readonly number[])[] };
  readonly elo_games: readonly GameRow[];
  readonly cohen: {
    readonly a: readonly number[];
    readonly b: readonly number[];
    readonly categories: readonly number[];
  };
  readonly kendall: { readonly x: readonly number[]; readonly y: readonly number[] };
}

/** README.md there: computed in double; iterated fits to 1e-8. */
const exactly = { relative: 1e-10, absolute: 1e-10 };
const fitted = { relative: 1e-8, absolute: 1e-8 };

const comparisonOf = (one: LossCase) =>
  new Comparison({ family: "loss", isa: "none", dtype: "fp64", name: one.case });

const gamesOf = (rows: readonly GameRow[]) =>
  rows.map(([first, second, score]) => ({ first, second, score }));

/** null: no prior. */
const priorOf = (one: LossCase) =>
  one.params.prior_sd === null ? Number.POSITIVE_INFINITY : parameterOf(one, "prior_sd");

export function checkBradleyTerryCase(one: LossCase, { games }: GameInputs): void {
  const compare = comparisonOf(one);
  const own = one.params.games as readonly GameRow[] | undefined;
  const expected = numbersOf(one, "ratings");
  const fit = fitBradleyTerry({
    items: expected.length,
    games: gamesOf(own ?? games.list),
    priorSd: priorOf(one),
  });
  compare.within("ratings", fit.ratings, expected, fitted);
  compare.within("standard errors", fit.standardErrors, numbersOf(one, "se"), fitted);
  compare.within("log-likelihood", [fit.logLikelihood], [numberOf(one, "log_likelihood")], fitted);
  const elo = fit.ratings.map((rating) => (rating * 400) / Math.LN10);
  compare.within("Elo scale", elo, numbersOf(one, "elo"), fitted);
}

export function checkPlackettLuceCase(one: LossCase, { rankings }: GameInputs): void {
  const compare = comparisonOf(one);
  const fit = fitPlackettLuce({
    items: rankings.items,
    rankings: rankings.best_first.map((items) => ({ items, ranks: items.map((_, place) => place + 1) })),
    priorSd: priorOf(one),
  });
  compare.within("ratings", fit.ratings, numbersOf(one, "ratings"), fitted);
  compare.within("standard errors", fit.standardErrors, numbersOf(one, "se"), fitted);
  compare.within("log-likelihood", [fit.logLikelihood], [numberOf(one, "log_likelihood")], fitted);
}

export function checkElo(one: LossCase, { games, elo_games }: GameInputs): void {
  const options = { items: games.items, step: parameterOf(one, "K"), start: parameterOf(one, "start") };
  const all = gamesOf(elo_games);
  const compare = comparisonOf(one);
  const trace = all.flatMap(({ first, second }, i) => {
    const ratings = eloRatings({ ...options, games: all.slice(0, i + 1) });
    return [ratings[first] ?? 0, ratings[second] ?? 0];
  });
  compare.within("Elo after each game", trace, numbersOf(one, "after_each_game"), exactly);
  compare.within("Elo", eloRatings({ ...options, games: all }), numbersOf(one, "final"), exactly);
}

export function checkKrippendorffCase(one: LossCase): void {
  const coders = one.coders_by_units as readonly (readonly (number | null)[])[];
  const units = (coders[0] ?? []).map((_, unit) =>
    coders.flatMap((row) => (typeof row[unit] === "number" ? [row[unit]] : [])),
  );
  const compare = comparisonOf(one);
  for (const level of ["nominal", "ordinal", "interval", "ratio"] as const)
    compare.within(
      `alpha, ${level}`,
      [krippendorffAlpha({ units, level }).alpha],
      [numberOf(one, level)],
      exactly,
    );
}

export function checkCohen(one: LossCase, { cohen }: GameInputs): void {
  const compare = comparisonOf(one);
  for (const weights of ["none", "linear", "quadratic"] as const) {
    const kappa = cohenKappa({ first: cohen.a, second: cohen.b, categories: cohen.categories, weights });
    compare.within(`kappa, ${weights}`, [kappa], [numberOf(one, weights)], exactly);
  }
}

export function checkFleissCase(one: LossCase): void {
  const table = one.table as readonly (readonly number[])[];
  comparisonOf(one).within("Fleiss' kappa", [fleissKappa(table)], [numberOf(one, "kappa")], exactly);
}

export function checkKendall(one: LossCase, { kendall }: GameInputs): void {
  const { kendall: tau } = rankCorrelationOf(kendall.x, kendall.y);
  comparisonOf(one).within("tau-b", [tau], [numberOf(one, "tau_b")], exactly);
}

export function checkWilson(one: LossCase, { expected }: LossFile): void {
  const { wilson } = expected as {
    readonly wilson: readonly {
      readonly k: number;
      readonly n: number;
      readonly low: number;
      readonly high: number;
    }[];
  };
  const found = wilson.map(({ k, n }) => wilsonInterval({ successes: k, count: n }));
  const compare = comparisonOf(one);
  const low = found.map((interval) => interval.low);
  const high = found.map((interval) => interval.high);
  compare.within(
    "Wilson, low",
    low,
    wilson.map((row) => row.low),
    exactly,
  );
  compare.within(
    "Wilson, high",
    high,
    wilson.map((row) => row.high),
    exactly,
  );
}
