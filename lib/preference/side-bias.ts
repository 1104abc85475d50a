// How much each annotator favours the side that is shown left: logit P(left wins) = s_left - s_right + gamma + gamma_a,
// gamma ~ N(0, 0.5^2), gamma_a ~ N(0, 0.5^2). Pure; must not know what was judged.

import { type BradleyTerry, fitBradleyTerry, type Game, slopesOf } from "./bradley-terry.js";
import { solve } from "./cholesky.js";
import { type Interval, Z95 } from "./intervals.js";
import { isAlarming, type SideBias } from "./rated-items.js";
import { SIDE_TERM, type Vote } from "./votes.js";

/**
 * Of everyone's bias: odds of three to one for a side are rare. A wide prior would take the first few votes that all happen to
 * be left for bias, and nothing for what they say.
 */
const COMMON_BIAS_SD = 0.5;
/** Of what each annotator adds. */
const OWN_BIAS_SD = 0.5;

export interface SideBiases extends SideBias {
  /** What each annotator adds to gamma, by number. */
  readonly own: ReadonlyMap<number, number>;
}

export interface FitSideBiases {
  readonly items: number;
  /** Those without a side say nothing and are left out. */
  readonly votes: readonly Omit<Vote, "prompt">[];
  readonly priorSd?: number;
}

export function fitSideBiases({ items, votes, priorSd = 2 }: FitSideBiases): SideBiases {
  const sided = votes.filter(({ side = 0 }) => side !== 0);
  const people = [...new Set(sided.map(({ annotator }) => annotator))];
  const termOf = new Map(people.map((annotator, i) => [annotator, i + 1]));
  const cells = new Map<string, Game & { weight: number }>();
  for (const { first, second, score, annotator, side = 0, weight = 1 } of sided) {
    const key = `${first} ${second} ${score} ${annotator} ${side}`;
    const known = cells.get(key);
    if (known !== undefined) {
      known.weight += weight;
      continue;
    }
    const terms = [
      { term: SIDE_TERM, value: side },
      { term: termOf.get(annotator) ?? 0, value: side },
    ];
    cells.set(key, { first, second, score, weight, terms });
  }
  const games = [...cells.values()];
  const fit = fitBradleyTerry({
    items,
    games,
    priorSd,
    terms: [COMMON_BIAS_SD, ...people.map(() => OWN_BIAS_SD)],
  });
  const gamma = fit.coefficients[SIDE_TERM] ?? 0;
  const interval = intervalOfGamma(fit, { games, items, people: people.length });
  return {
    ...{ gamma, interval, alarm: isAlarming(gamma, interval) },
    own: new Map(people.map((annotator, i) => [annotator, fit.coefficients[i + 1] ?? 0])),
  };
}

interface Fitted {
  readonly games: readonly Game[];
  readonly items: number;
  readonly people: number;
}

/**
 * 95%, of the larger of two variances: the fit's own, and that of the annotators' pulls, whose votes go together (Liang & Zeger
 * 1986): H^-1 (sum of u_a u_a') H^-1, times P / (P - 1) of P annotators. Of a few people the latter is far too sure.
 */
function intervalOfGamma(fit: BradleyTerry, { games, items, people }: Fitted): Interval {
  const direction = new Float64Array(fit.hessian.size);
  direction[items + SIDE_TERM] = 1;
  const solved = solve(fit.hessian, direction);
  const pulls = new Float64Array(people + 1);
  for (const [i, slope] of slopesOf(games, fit).entries()) {
    const { terms = [], weight = 1 } = games[i] ?? {};
    const person = terms.find(({ term }) => term !== SIDE_TERM)?.term ?? 0;
    const pull = slope.reduce((sum, { at, value }) => sum + value * (solved[at] ?? 0), 0);
    pulls[person] = (pulls[person] ?? 0) + weight * pull;
  }
  const clustered = pulls.reduce((sum, pull) => sum + pull * pull, 0) * (people / Math.max(1, people - 1));
  const own = (fit.coefficientErrors[SIDE_TERM] ?? 0) ** 2;
  const reach = Z95 * Math.sqrt(Math.max(own, clustered));
  const gamma = fit.coefficients[SIDE_TERM] ?? 0;
  return { low: gamma - reach, high: gamma + reach };
}
