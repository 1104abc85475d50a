// What several annotators say of a pair together, and how far each is to be trusted: one-coin Dawid and Skene (1979) by
// EM with a prior, side biases taken out, as a soft label. Pure; must not know what was judged.

import { fail } from "../errors/index.js";

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
  const ballots = ballotsOf(votes, gold);
  let reliability = firstReliability(ballots);
  for (let round = 1; ; round++) {
    const odds = oddsOf(ballots, evidencesOf(ballots, reliability, bias));
    const next = reliabilityOf(ballots, (ballot) => ballot.better ?? probabilityOf(odds[ballot.number] ?? 0));
    const change = next.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (reliability[i] ?? 0))),
      0,
    );
    reliability = next;
    if (change > CONVERGED && round < MOST_ROUNDS) continue;
    const ends = oddsOf(ballots, evidencesOf(ballots, reliability, bias)).map((sum) =>
      between(probabilityOf(sum), LEAST_LABEL, MOST_LABEL),
    );
    const { annotators, ballotOf } = ballots;
    return {
      labels: new Map(Array.from(ballotOf, ([unit, ballot]) => [unit, ends[ballot] ?? 0.5])),
      reliability: new Map(annotators.map((annotator, i) => [annotator, reliability[i] ?? LEAST])),
      rounds: round,
    };
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

/** Units on which the same people said the same. There are far fewer of them than units: most units get one vote. */
interface Ballot {
  readonly number: number;
  /** Ascending; see codeOf. */
  readonly codes: readonly number[];
  units: number;
  /** P(the first is better) where it is known, from gold. */
  readonly better: 0 | 1 | undefined;
}

interface Ballots {
  readonly annotators: readonly number[];
  readonly all: readonly Ballot[];
  /** By unit, as they came. */
  readonly ballotOf: ReadonlyMap<number, number>;
}

const choices = ["first", "second", "tie"] as const;
const lefts = [undefined, "first", "second"] as const;
/** Votes that one annotator can give. */
const CODES = choices.length * lefts.length;

function codeOf({ choice, left }: PairVote, annotator: number): number {
  return CODES * annotator + lefts.length * choices.indexOf(choice) + lefts.indexOf(left);
}

function annotatorOf(code: number): number {
  return Math.floor(code / CODES);
}

/** 1: the first; -1: the second; 0: neither. */
function signOf(code: number): number {
  const choice = choices[Math.floor((code % CODES) / lefts.length)];
  return choice === "first" ? 1 : choice === "second" ? -1 : 0;
}

function ballotsOf(votes: readonly PairVote[], gold: ReadonlyMap<number, "first" | "second">): Ballots {
  const numbers = new Map<number, number>();
  const codes = new Map<number, number[]>();
  for (const [number, vote] of votes.entries()) {
    const { unit, annotator } = vote;
    if (!Number.isInteger(unit) || !Number.isInteger(annotator))
      throw fail(
        "ATTUNE_DATA",
        `Vote ${number}: expected whole numbers but found unit ${unit}, annotator ${annotator}.`,
      );
    const known = numbers.get(annotator) ?? numbers.size;
    numbers.set(annotator, known);
    const own = codes.get(unit);
    if (own === undefined) codes.set(unit, [codeOf(vote, known)]);
    else own.push(codeOf(vote, known));
  }
  const all = new Map<string, Ballot>();
  const ballotOf = new Map<number, number>();
  for (const [unit, own] of codes) {
    const known = gold.get(unit);
    const key = `${known} ${own.sort((a, b) => a - b).join(" ")}`;
    const better = known === undefined ? undefined : known === "first" ? 1 : 0;
    const ballot = all.get(key) ?? { number: all.size, codes: own, units: 0, better };
    all.set(key, ballot);
    ballot.units += 1;
    ballotOf.set(unit, ballot.number);
  }
  return { annotators: [...numbers.keys()], all: [...all.values()], ballotOf };
}

/** Over gold, and elsewhere whether the others' majority said the same; where it was split, half. */
function firstReliability({ annotators, all }: Ballots): Float64Array {
  const counts = new RightVotes(annotators.length);
  for (const { codes, units, better } of all) {
    if (better === undefined && codes.length < 2) continue;
    const sum = codes.reduce((total, code) => total + signOf(code), 0);
    for (const code of codes) {
      const own = signOf(code);
      if (own === 0) continue;
      const others = better === undefined ? Math.sign(sum - own) : better === 1 ? 1 : -1;
      counts.add(code, units, others === 0 ? 0.5 : others === own ? 1 : 0);
    }
  }
  return counts.reliability();
}

/** Of each annotator's votes that prefer an answer: how many there are, and how many are thought to be right. */
class RightVotes {
  private readonly right: Float64Array;
  private readonly all: Float64Array;

  constructor(annotators: number) {
    this.right = new Float64Array(annotators);
    this.all = new Float64Array(annotators);
  }

  add(code: number, units: number, right: number): void {
    const annotator = annotatorOf(code);
    this.right[annotator] = (this.right[annotator] ?? 0) + units * right;
    this.all[annotator] = (this.all[annotator] ?? 0) + units;
  }

  reliability(): Float64Array {
    return this.right.map((right, i) =>
      between((right + PRIOR_RIGHT) / ((this.all[i] ?? 0) + PRIOR_ALL), LEAST, MOST),
    );
  }
}

/** [codes] what each vote that can be given adds. */
function evidencesOf(
  { annotators }: Ballots,
  reliability: Float64Array,
  bias: (annotator: number) => number,
): Float64Array {
  const evidences = new Float64Array(CODES * annotators.length);
  for (const [number, annotator] of annotators.entries())
    for (const choice of choices)
      for (const left of lefts) {
        const vote = { unit: 0, annotator, choice, ...(left === undefined ? {} : { left }) };
        evidences[codeOf(vote, number)] = evidenceOf(vote, reliability[number] ?? LEAST, bias(annotator));
      }
  return evidences;
}

/** [ballots] log-odds that the first answer is better. */
function oddsOf({ all }: Ballots, evidences: Float64Array): Float64Array {
  return Float64Array.from(all, ({ codes }) => codes.reduce((sum, code) => sum + (evidences[code] ?? 0), 0));
}

/** Expected share of right votes under what is believed of each unit. */
function reliabilityOf(
  { annotators, all }: Ballots,
  firstIsBetter: (ballot: Ballot) => number,
): Float64Array {
  const counts = new RightVotes(annotators.length);
  for (const ballot of all) {
    const p = firstIsBetter(ballot);
    for (const code of ballot.codes) {
      const sign = signOf(code);
      if (sign !== 0) counts.add(code, ballot.units, sign === 1 ? p : 1 - p);
    }
  }
  return counts.reliability();
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
