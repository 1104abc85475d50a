// Active choice beside random choice at equal votes: the same open pairs, the same simulated raters, the same number of votes;
// what is asked next is chosen by a selector or by chance. Must not judge which is better: callers report both.

import { philox, randomStreams, seedKey } from "../../lib/data/index.js";
import { chooseItem } from "../../lib/feedback/choose-item.js";
import {
  prioritiesOf,
  type ScoredItem,
  type SelectorName,
  simulatedRater,
} from "../../lib/feedback/index.js";
import { OpenItems } from "../../lib/feedback/open-items.js";
import { fitLinearBound, fitLinearReward, type Judgement } from "../../lib/preference/index.js";

export interface ActiveChoice {
  readonly seed: number;
  readonly selector: SelectorName;
  readonly votes: number;
}

export interface Measured {
  readonly votes: number;
  /** On pairs drawn at random that nobody was asked about, against the truth. */
  readonly accuracy: number;
}

const SIZE = 12;
const POOL = 1000;
const HELD_OUT = 2000;
const BATCH = 20;
const HEADS = 5;

/** Numbers of a place: a function of it alone. */
function drawsOf(seed: number, row: number): () => number {
  let position = 0;
  return () => philox([randomStreams.simulate, 1, row, position++], seedKey(seed))[0] / 2 ** 32;
}

/** Standard normal, by Box and Muller. */
function normal(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}

/** Answers of which most are alike: some features are seldom seen, as in real answers. */
function answerOf(draw: () => number): Float64Array {
  return Float64Array.from({ length: SIZE }, (_, i) => normal(draw) / Math.sqrt(1 + i) / 2);
}

type Pair = readonly [Float64Array, Float64Array];

export function activeChoice({ seed, selector, votes }: ActiveChoice): Measured {
  const draw = drawsOf(seed, 0);
  const truth = Float64Array.from({ length: SIZE }, () => 2 * normal(draw));
  const worthOf = (answer: Float64Array) =>
    answer.reduce((sum, value, i) => sum + value * (truth[i] ?? 0), 0);
  const pairs = (count: number) =>
    Array.from({ length: count }, (): Pair => [answerOf(draw), answerOf(draw)]);
  const [pool, heldOut] = [pairs(POOL), pairs(HELD_OUT)];
  const answers = new Map<string, Float64Array>(
    pool.flatMap((pair, i) => pair.map((answer, side) => [`${i} ${side}`, answer] as const)),
  );
  const rater = simulatedRater({
    seed,
    number: 0,
    worth: (_, answer) => worthOf(answers.get(String(answer)) ?? truth),
  });
  const open = new OpenItems(1, 0);
  for (const number of pool.keys())
    open.add({
      ...{ item: `item-${number}`, number, promptHash: `prompt-${number}`, unsafe: false, state: "open" },
      ...{ priority: 0, slots: 1, taken: 0, gold: false },
    });
  const annotator = "rater";
  const asked: { readonly pair: Pair; readonly label: number }[] = [];
  const chance = drawsOf(seed, 1);
  while (asked.length < votes) {
    if (asked.length > 0 && asked.length % BATCH === 0) prioritise(open, pool, asked, selector, seed);
    const chosen = chooseItem({ open, annotator, random: 0.2, draw: chance, unsafeToo: true });
    if (chosen === undefined) throw new Error("the pool is larger than the votes");
    open.see(annotator, chosen.item.item);
    const { number } = chosen.item;
    const rated = rater.judge({
      prompt: "",
      answers: [`${number} 0`, `${number} 1`],
      asks: [{ kind: "pair", strength: false }],
    });
    const value = rated?.values[0];
    const pair = pool[number];
    if (pair === undefined || value?.kind !== "pair") throw new Error("a rater of pairs says which");
    asked.push({ pair, label: value.choice === "left" ? 1 : 0 });
  }
  const { theta } = fitLinearReward(dataOf(asked));
  const right = heldOut.filter(
    ([a, b]) => Math.sign(dot(theta, a) - dot(theta, b)) === Math.sign(worthOf(a) - worthOf(b)),
  );
  return { votes: asked.length, accuracy: right.length / heldOut.length };
}

function dataOf(
  asked: readonly { readonly pair: Pair; readonly label: number }[],
  weights?: readonly number[],
) {
  const features = new Float64Array(2 * SIZE * asked.length);
  for (const [i, { pair }] of asked.entries())
    for (const side of [0, 1] as const) features.set(pair[side], SIZE * (2 * i + side));
  const judgements = asked.map(
    ({ label }, i): Judgement => ({ items: [2 * i, 2 * i + 1], label, weight: weights?.[i] ?? 1 }),
  );
  return { features, size: SIZE, judgements };
}

function dot(theta: Float64Array, answer: Float64Array): number {
  return theta.reduce((sum, value, i) => sum + value * (answer[i] ?? 0), 0);
}

/** By an ensemble of refits on reweighted votes, and a bound on the fit of all. */
function prioritise(
  open: OpenItems,
  pool: readonly Pair[],
  asked: readonly { readonly pair: Pair; readonly label: number }[],
  selector: SelectorName,
  seed: number,
): void {
  const heads = Array.from({ length: HEADS }, (_, head) => {
    const draw = drawsOf(seed, 2 + head + HEADS * asked.length);
    return fitLinearReward(
      dataOf(
        asked,
        asked.map(() => -Math.log(1 - draw())),
      ),
    ).theta;
  });
  const all = dataOf(asked);
  const bound = fitLinearBound({ ...all, reward: fitLinearReward(all), kappa: 1 });
  const items = [...open.freeItems()].map(({ item, promptHash, number }): ScoredItem => {
    const pair = pool[number] ?? [];
    return {
      item,
      promptHash,
      heads: pair.map((answer) => heads.map((theta) => dot(theta, answer))),
      features: pair,
    };
  });
  const priorities = prioritiesOf({ selector, items, bound, skipCost: 0 });
  open.follow({
    ...{ project: "", seq: 0, id: "", time: 0, actor: "service" },
    ...{ type: "items.prioritised", body: { priorities } },
  });
}
