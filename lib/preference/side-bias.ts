// How much each annotator favours the side that is shown left: logit P(left wins) = s_left - s_right + gamma + gamma_a,
// gamma_a ~ N(0, 0.5^2). Pure; must not know what was judged.

import { fitBradleyTerry, type Game } from "./bradley-terry.js";
import { SIDE_TERM, TERM_PRIOR_SD, type Vote } from "./votes.js";

/** Of the annotators' own biases. */
const OWN_BIAS_SD = 0.5;

export interface SideBiases {
  /** Of everyone. */
  readonly gamma: number;
  /** What each annotator adds to it, by number. */
  readonly own: ReadonlyMap<number, number>;
}

export interface FitSideBiases {
  readonly items: number;
  /** Those without a side say nothing and are left out. */
  readonly votes: readonly Vote[];
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
  const { coefficients } = fitBradleyTerry({
    items,
    games: [...cells.values()],
    priorSd,
    terms: [TERM_PRIOR_SD, ...people.map(() => OWN_BIAS_SD)],
  });
  return {
    gamma: coefficients[SIDE_TERM] ?? 0,
    own: new Map(people.map((annotator, i) => [annotator, coefficients[i + 1] ?? 0])),
  };
}
