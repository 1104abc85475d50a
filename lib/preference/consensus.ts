// What several annotators say of a pair together, and how far each is to be trusted: one-coin Dawid and Skene (1979) by
// EM with a prior, side biases taken out, as a soft label. Pure; must not know what was judged.

import { fail } from "../errors/index.js";
import { groupedBy } from "./grouped.js";

export interface PairVote {
  /** Number of what was judged, from 0. */
  readonly unit: number;
  readonly annotator: number;
  /** Of the unit's two answers: the first, the second, or neither. */
  readonly choice: "first" | "second" | "tie";
  /** The answer that was shown left; undefined when unknown. */
  readonly left?: "first" | "second";
}

export interface ConsensusOptions {
  readonly votes: readonly PairVote[];
  /** By unit: which answer is known to be better. */
  readonly gold?: ReadonlyMap<number, "first" | "second">;
  /** Log-odds by which an annotator favours the left side, gamma + gamma_a. Default: none. */
  readonly bias?: (annotator: number) => number;
}

export interface Consensus {
  /** By unit: P(the first is better) of its votes together, in [0.02, 0.98]; 0.5 where all tie. */
  readonly labels: ReadonlyMap<number, number>;
  /** By annotator: the probability of a right vote, in [0.5, 0.98]. 0.5 weighs nothing, and nobody is turned round. */
  readonly reliability: ReadonlyMap<number, number>;
  readonly rounds: number;
}

/** Of a beta prior: as if everyone had been right in 8 of 10. */
const [PRIOR_RIGHT, PRIOR_ALL] = [8, 10];
const [LEAST, MOST] = [0.5, 0.98];
const [LEAST_LABEL, MOST_LABEL] = [0.02, 0.98];
const CONVERGED = 1e-9;
const MOST_ROUNDS = 1000;

/** Labels and reliabilities that fit each other. */
export function consensusOf({ votes, gold = new Map(), bias = () => 0 }: ConsensusOptions): Consensus {
  for (const [number, { unit, annotator }] of votes.entries())
    if (!Number.isInteger(unit) || !Number.isInteger(annotator))
      throw fail(
        "ATTUNE_DATA",
        `Vote ${number}: expected whole numbers but found unit ${unit}, annotator ${annotator}.`,
      );
  const units = groupedBy(votes, ({ unit }) => unit);
  let reliability = firstReliability(units, gold);
  for (let round = 1; ; round++) {
    const logOdds = oddsOf(units, reliability, bias);
    const next = reliabilityOf(votes, (unit) => {
      const known = gold.get(unit);
      return known === undefined ? probabilityOf(logOdds.get(unit) ?? 0) : known === "first" ? 1 : 0;
    });
    let change = 0;
    for (const [annotator, value] of next)
      change = Math.max(change, Math.abs(value - (reliability.get(annotator) ?? 0)));
    reliability = next;
    if (change > CONVERGED && round < MOST_ROUNDS) continue;
    const ends = oddsOf(units, reliability, bias);
    const labels = new Map(
      [...ends].map(([unit, odds]) => [unit, between(probabilityOf(odds), LEAST_LABEL, MOST_LABEL)]),
    );
    return { labels, reliability, rounds: round };
  }
}

/**
 * What one vote adds to the log-odds that the first answer is better: log P(vote | it is) - log P(vote | it is not), of an
 * annotator who is right with probability sigma(c) between equal sides and leans left by g.
 */
export function evidenceOf({ choice, left }: PairVote, reliability: number, bias: number): number {
  if (choice === "tie") return 0;
  const c = Math.log(reliability / (1 - reliability));
  const lean = left === undefined ? 0 : bias;
  const choseLeft = left === undefined || choice === left;
  // Of the answer on the left; without sides, of the one that was chosen.
  const ofLeft = choseLeft
    ? logSigmoid(c + lean) - logSigmoid(lean - c)
    : logSigmoid(-c - lean) - logSigmoid(c - lean);
  const leftIsFirst = left === undefined ? choice === "first" : left === "first";
  return leftIsFirst ? ofLeft : -ofLeft;
}

type Units = ReadonlyMap<number, readonly PairVote[]>;

/** Over gold, and elsewhere whether the others' majority said the same; where it was split, half. */
function firstReliability(units: Units, gold: ReadonlyMap<number, "first" | "second">) {
  const right = new Map<number, [right: number, all: number]>();
  for (const [unit, votes] of units) {
    const known = gold.get(unit);
    const sum = votes.reduce((total, vote) => total + signOf(vote), 0);
    for (const vote of votes) {
      const own = signOf(vote);
      const counts = right.get(vote.annotator) ?? [0, 0];
      right.set(vote.annotator, counts);
      if (own === 0) continue;
      const others = known === undefined ? Math.sign(sum - own) : known === "first" ? 1 : -1;
      if (known === undefined && votes.length < 2) continue;
      counts[0] += others === 0 ? 0.5 : others === own ? 1 : 0;
      counts[1] += 1;
    }
  }
  return new Map([...right].map(([annotator, [good, all]]) => [annotator, posterior(good, all)]));
}

function signOf({ choice }: PairVote): number {
  return choice === "first" ? 1 : choice === "second" ? -1 : 0;
}

function posterior(right: number, all: number): number {
  return between((right + PRIOR_RIGHT) / (all + PRIOR_ALL), LEAST, MOST);
}

function oddsOf(
  units: Units,
  reliability: ReadonlyMap<number, number>,
  bias: (annotator: number) => number,
): Map<number, number> {
  const odds = new Map<number, number>();
  for (const [unit, votes] of units) {
    let sum = 0;
    for (const vote of votes)
      sum += evidenceOf(vote, reliability.get(vote.annotator) ?? LEAST, bias(vote.annotator));
    odds.set(unit, sum);
  }
  return odds;
}

/** Expected share of right votes under what is believed of each unit. */
function reliabilityOf(votes: readonly PairVote[], firstIsBetter: (unit: number) => number) {
  const counts = new Map<number, [right: number, all: number]>();
  for (const { unit, annotator, choice } of votes) {
    const known = counts.get(annotator) ?? [0, 0];
    counts.set(annotator, known);
    if (choice === "tie") continue;
    const p = firstIsBetter(unit);
    known[0] += choice === "first" ? p : 1 - p;
    known[1] += 1;
  }
  return new Map([...counts].map(([annotator, [right, all]]) => [annotator, posterior(right, all)]));
}

function between(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function probabilityOf(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

function logSigmoid(x: number): number {
  return x < 0 ? x - Math.log1p(Math.exp(x)) : -Math.log1p(Math.exp(-x));
}
