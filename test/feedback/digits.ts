// A world without an engine for tests of the loop: answers are digits, a policy is a table of ten logits, and training finds
// the exact policy that DPO looks for: the one it starts from, tilted by the reward that explains the judgements.
// Must not judge: simulated raters do.

import { philox, randomStreams, seedKey } from "../../lib/data/index.js";
import type {
  LoopRow,
  LoopWork,
  RunningLoop,
  SimulatedRater,
  StartLoop,
  TrainRound,
} from "../../lib/feedback/index.js";
import { simulatedRater, startLoop } from "../../lib/feedback/index.js";
import type { FeedbackContent } from "../../lib/feedback/judgement.js";
import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { fitLinearBound, fitLinearReward, type Judgement } from "../../lib/preference/index.js";
import { PROJECT, personName, say } from "./sample-project.js";

export const DIGITS = 10;
const HEADS = 5;

/** Log-odds that raters see: 9 is best. */
export const worth = (_: FeedbackContent, answer: FeedbackContent) => digitOf(answer) / 2;

export const prompts = Array.from({ length: 40 }, (_, i) => `Which digit, for the ${i}th time?`);

/** A policy's place: its logits. */
export const uniform = JSON.stringify(Array.from({ length: DIGITS }, () => 0));

/** What a policy's answers are worth on average. */
export function meanDigit(place: string): number {
  return shares(place).reduce((sum, share, digit) => sum + share * digit, 0);
}

function shares(place: string): readonly number[] {
  const powers = (JSON.parse(place) as number[]).map(Math.exp);
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function digitOf(content: unknown): number {
  const text = Array.isArray(content) ? String((content[0] as { content: string }).content) : String(content);
  return Number(text);
}

function uniformAt(seed: number, row: number, position: number): number {
  return philox([randomStreams.simulate, 0, row, position], seedKey(seed))[0] / 2 ** 32;
}

/** [digits x digits] each digit is a feature of its own. */
const features = Float64Array.from({ length: DIGITS * DIGITS }, (_, i) =>
  Math.floor(i / DIGITS) === i % DIGITS ? 1 : 0,
);

function judgementsOf(rows: readonly LoopRow[]): readonly Judgement[] {
  return rows.map(({ chosen, rejected, label }) => ({
    items: [digitOf(chosen), digitOf(rejected)],
    label: Number(label),
  }));
}

/** [heads][digits] of resampled rows: an ensemble. */
function headsOf(rows: readonly LoopRow[], seed: number): readonly (readonly number[])[] {
  const judgements = judgementsOf(rows);
  return Array.from({ length: HEADS }, (_, head) => {
    const drawn = judgements.map((judgement, i) => ({
      ...judgement,
      weight: -Math.log(1 - uniformAt(seed + 1, head, i)),
    }));
    return [...fitLinearReward({ features, size: DIGITS, judgements: drawn }).theta];
  });
}

export const digitWork: LoopWork = {
  generate: async ({ prompts: asked, policy, answers, seed }) =>
    asked.map((_, row) =>
      Array.from({ length: answers }, (_answer, i) => {
        let rest = uniformAt(seed, row, i);
        const digit = shares(policy.place).findIndex((share) => {
          rest -= share;
          return rest < 0;
        });
        return { content: String(digit < 0 ? DIGITS - 1 : digit), seed };
      }),
    ),
  score: async ({ items, scorer }) => {
    if (scorer === undefined) return undefined;
    const { heads } = JSON.parse(scorer.place) as { heads: number[][] };
    return {
      items: items.map(({ answers }) => ({
        heads: answers.map(({ content }) => heads.map((head) => head[digitOf(content)] ?? 0)),
        features: answers.map(({ content }) => features.slice(DIGITS * digitOf(content)).slice(0, DIGITS)),
      })),
    };
  },
  train: async ({ training: { rows }, start, trunk, seed, round }: TrainRound) => {
    const judgements = judgementsOf(rows);
    const reward = fitLinearReward({ features, size: DIGITS, judgements });
    const logits = (JSON.parse(start.place) as number[]).map((logit, i) => logit + (reward.theta[i] ?? 0));
    const place = JSON.stringify(logits);
    const [ours, theirs] = [shares(place), shares(trunk.place)];
    const kl = ours.reduce((sum, share, i) => sum + share * Math.log(share / (theirs[i] ?? 1)), 0);
    const scorer = JSON.stringify({ heads: headsOf(rows, seed) });
    return { model: `digits ${round}`, place, scorer, kl, metrics: { loss: reward.loss } };
  },
};

/** A linear bound on digits, fitted to these pairs. */
export function digitBound(pairs: readonly (readonly [number, number])[]) {
  const judgements = pairs.map((items) => ({ items }));
  const data = { features, size: DIGITS, judgements };
  return fitLinearBound({ ...data, reward: fitLinearReward(data), kappa: 1 });
}

/** It looks when a test asks it to. */
export function digitLoop(store: FeedbackStore, options: Partial<StartLoop> = {}): RunningLoop {
  return startLoop({
    ...digitWork,
    store,
    project: PROJECT,
    first: { model: "digits 0", place: uniform },
    prompts,
    kinds: ["preference"],
    ...options,
    settings: { settleMs: 60_000, queue: 60, trainAfter: 25, ...options.settings },
  });
}

/** And keeps what each round was given to train on. */
export function recordedLoop(store: FeedbackStore, options: Omit<Partial<StartLoop>, "train"> = {}) {
  const rounds: TrainRound[] = [];
  const loop = digitLoop(store, {
    ...options,
    train: async (request) => {
      rounds.push(request);
      return digitWork.train(request);
    },
  });
  return { loop, rounds };
}

/** They judge in turn until so many judgements are in, or nothing is open to them. */
export async function judgeSome(
  store: FeedbackStore,
  panel: readonly SimulatedRater[],
  most: number,
  absent: readonly number[] = [],
): Promise<number> {
  let done = 0;
  for (let tried = true; tried && done < most; ) {
    tried = false;
    for (const [number, rater] of panel.entries()) {
      if (absent.includes(number)) continue;
      const annotator = personName(number);
      const leased = done < most ? await store.write(PROJECT, "next", { annotator }) : null;
      if (leased === null) continue;
      tried = true;
      const rated = rater.judge(leased);
      if (rated === null)
        await store.write(PROJECT, "skip", { lease: leased.lease, annotator, reason: "other" });
      else await say(store, annotator, leased.lease, rated.values);
      done += 1;
    }
  }
  return done;
}

export function raters(count: number, options: { readonly care?: number; readonly seed?: number } = {}) {
  return Array.from({ length: count }, (_, number) => simulatedRater({ seed: 1, number, worth, ...options }));
}
