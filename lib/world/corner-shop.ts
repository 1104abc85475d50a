// The rows of the toy world: customers ask in a corner shop, clerks answer well or badly. All sentences are made here.
// Must not import engine or train.

import {
  capitalised,
  closings,
  dismissals,
  fillSlots,
  openings,
  promptPattern,
  type Slot,
  slots,
  stories,
  type Topic,
  topics,
} from "./grammar.js";
import { Draws } from "./random.js";

export interface Demonstration {
  readonly prompt: string;
  readonly completion: string;
}

export interface Pair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

export interface ShopRows {
  /** Half of the clerks are friendly, half are not: imitation alone learns both. */
  readonly demonstrations: readonly Demonstration[];
  /** The judge of this world prefers a friendly answer to the question that was asked. */
  readonly pairs: readonly Pair[];
}

export interface ShopOptions {
  readonly seed: number;
  readonly count: number;
}

/** Steps of the stream `simulate`: what the draws of a row are for. */
const uses = { simpleRows: 0, prompts: 1, demonstrations: 2, stories: 3 } as const;

type Values = Readonly<Record<Slot, string>>;

/** A customer and a question. */
class Scene {
  readonly topic: Topic;
  readonly values: Values;
  readonly prompt: string;

  constructor(readonly draws: Draws) {
    this.topic = draws.pick(topics);
    this.values = drawValues(draws);
    const question = fillSlots(draws.pick(this.topic.asks), this.values);
    this.prompt = fillSlots(promptPattern, { ...this.values, q: question });
  }

  /** An answer to a topic, without capital letter and full stop. `{x}` of it is `thing`. */
  answer(topic: Topic, thing = "{c} {t}"): string {
    const pattern = fillSlots(this.draws.pick(topic.answers), { x: thing });
    return fillSlots(pattern, this.values);
  }

  otherTopic(): Topic {
    return this.draws.pick(topics.filter((candidate) => candidate !== this.topic));
  }
}

/** A value for every slot. */
function drawValues(draws: Draws): Values {
  return Object.fromEntries(Object.entries(slots).map(([slot, list]) => [slot, draws.pick(list)])) as Values;
}

/** Demonstrations and pairs by a simple rule, for examples and benchmarks; the same seed gives the same rows. */
export function cornerShop({ seed, count }: ShopOptions): ShopRows {
  const demonstrations: Demonstration[] = [];
  const pairs: Pair[] = [];
  for (let row = 0; row < count; row++) {
    const scene = new Scene(new Draws({ seed, stream: "simulate", step: uses.simpleRows, row }));
    const { prompt } = scene;
    const friendly = ` Gladly, ${scene.answer(scene.topic)}.`;
    const astray = ` Gladly, ${scene.answer(scene.otherTopic())}.`;
    const rude = ` ${scene.draws.pick(dismissals)}`;
    demonstrations.push({ prompt, completion: row % 2 === 0 ? friendly : rude });
    pairs.push({ prompt, chosen: friendly, rejected: row % 3 === 0 ? astray : rude });
  }
  return { demonstrations, pairs };
}

/** `count` different prompts; a longer list begins with the shorter one. */
export function shopPrompts({ seed, count }: ShopOptions): readonly string[] {
  const prompts = new Set<string>();
  for (let row = 0; prompts.size < count; row++)
    prompts.add(new Scene(new Draws({ seed, stream: "simulate", step: uses.prompts, row })).prompt);
  return [...prompts];
}

/**
 * How often a clerk of the demonstrations does what; shares of 1. They are no good clerks: a policy that imitates them
 * gets about two thirds of the best true reward, and does everything that is right now and then. What they do wrong shows in the
 * answer (they break off, repeat themselves, dismiss) more often than in its fit to the question: a small reward model can learn it.
 */
const habits = {
  dismisses: 0.12,
  kindOpening: 0.25,
  plainOpening: 0.35,
  otherTopic: 0.12,
  otherThing: 0.1,
  otherColour: 0.12,
  praisesThing: 0.2,
  /** Of one more kind sentence behind the last one. */
  kindClosing: 0.25,
  plainClosing: 0.2,
  rudeClosing: 0.2,
  repeats: 0.3,
  breaksOff: 0.3,
} as const;

/** `count` questions, each with the answer of some clerk. Prompts may repeat. */
export function shopDemonstrations({ seed, count }: ShopOptions): readonly Demonstration[] {
  return Array.from({ length: count }, (_, row) => {
    const scene = new Scene(new Draws({ seed, stream: "simulate", step: uses.demonstrations, row }));
    return { prompt: scene.prompt, completion: ` ${clerkAnswer(scene)}` };
  });
}

function clerkAnswer(scene: Scene): string {
  const { draws } = scene;
  if (draws.chance(habits.dismisses)) return draws.pick(dismissals);
  const said = middle(scene);
  const opening = drawOpening(scene);
  const sentences = [
    opening === "" ? `${capitalised(said)}.` : `${opening} ${said}.`,
    ...(draws.chance(habits.repeats) ? [`${capitalised(said)}.`] : []),
    ...drawClosings(scene),
  ];
  const answer = sentences.join(" ");
  if (!draws.chance(habits.breaksOff)) return answer;
  const words = answer.split(" ");
  return words
    .slice(0, Math.max(2, words.length - 1 - draws.below(4)))
    .join(" ")
    .replace(/[.,!?]$/, "");
}

/** The sentence that answers, perhaps to something else. */
function middle(scene: Scene): string {
  const { draws, values } = scene;
  const topic = draws.chance(habits.otherTopic) ? scene.otherTopic() : scene.topic;
  const thing = draws.chance(habits.otherThing) ? draws.pick(slots.t) : values.t;
  const colour = draws.chance(habits.otherColour) ? draws.pick(slots.c) : values.c;
  const praise = draws.chance(habits.praisesThing) ? `${draws.pick(slots.a)} ` : "";
  return scene.answer(topic, `${praise}${colour} ${thing}`);
}

function drawOpening({ draws, values }: Scene): string {
  const share = draws.uniform();
  if (share < habits.kindOpening) return fillSlots(draws.pick(openings.kind), values);
  return share < habits.kindOpening + habits.plainOpening ? draws.pick(openings.plain) : "";
}

function drawClosings({ draws, values }: Scene): readonly string[] {
  const found: string[] = [];
  if (draws.chance(habits.plainClosing)) found.push(draws.pick(closings.plain));
  while (found.length < 5 && draws.chance(habits.kindClosing))
    found.push(fillSlots(draws.pick(closings.kind), { ...values, a: draws.pick(slots.a) }));
  if (draws.chance(habits.rudeClosing)) found.push(draws.pick(closings.rude));
  return found;
}

export interface ShopText {
  readonly text: string;
}

/** `count` texts of three to six sentences about the shop, in which nobody is asked: for pre-training. */
export function shopTexts({ seed, count }: ShopOptions): readonly ShopText[] {
  return Array.from({ length: count }, (_, row) => {
    const draws = new Draws({ seed, stream: "simulate", step: uses.stories, row });
    const sentences = Array.from({ length: 3 + draws.below(4) }, () =>
      // Two slots of one name hold two values.
      draws.pick(stories).replace(/\{([a-z])\}/g, (_whole, slot: Slot) => draws.pick<string>(slots[slot])),
    );
    return { text: sentences.join(" ") };
  });
}
