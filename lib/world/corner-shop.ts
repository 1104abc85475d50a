// The rows of the toy world: customers ask in a corner shop, clerks answer well or badly. All sentences are made here.
// Must not import engine or train.

import { drawIndex } from "./random.js";

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

const things = [
  "lamp",
  "kettle",
  "broom",
  "basket",
  "candle",
  "radio",
  "pillow",
  "ladder",
  "teapot",
  "blanket",
];
const colours = ["red", "blue", "green", "white", "grey", "brown"];
const names = ["Ada", "Ben", "Cleo", "Dov", "Ema", "Finn", "Gus", "Hana"];

interface Question {
  readonly ask: readonly string[];
  readonly friendly: readonly string[];
}

/** `{t}` stands for a thing, `{c}` for its colour. */
const questions: readonly Question[] = [
  {
    ask: ["Do you sell a {c} {t}?", "I need a {c} {t}.", "Is there a {c} {t} here?"],
    friendly: ["Yes, the {t} is on the shelf by the door.", "Of course, I will fetch a {c} {t} for you."],
  },
  {
    ask: ["What does the {c} {t} cost?", "How much is this {t}?"],
    friendly: ["The {t} costs nine coins, with a bag.", "Nine coins, and the {t} is yours."],
  },
  {
    ask: ["My {c} {t} is broken.", "This {t} stopped working."],
    friendly: ["I am sorry. Let me mend the {t} today.", "That is a pity. You get a new {t} at once."],
  },
  {
    ask: ["When do you close?", "How long are you open?"],
    friendly: ["We close at six, so take your time.", "We are open until six, every day."],
  },
];

const unfriendly = ["No idea.", "Not my job.", "Look for yourself.", "Go somewhere else.", "Who cares?"];

class Scene {
  #position = 0;

  constructor(
    readonly seed: number,
    readonly row: number,
  ) {}

  pick<T>(list: readonly T[]): T {
    const place = { seed: this.seed, stream: "simulate", step: 0, row: this.row } as const;
    const item = list[drawIndex(place, this.#position++, list.length)];
    if (item === undefined) throw new RangeError("picked from an empty list");
    return item;
  }

  /** What a customer says, how a friendly clerk answers it, and how a clerk answers who did not listen. */
  talk(): { readonly prompt: string; readonly friendly: string; readonly astray: string } {
    const question = this.pick(questions);
    const thing = this.pick(things);
    const colour = this.pick(colours);
    const fill = (text: string) => text.replaceAll("{t}", thing).replaceAll("{c}", colour);
    const other = this.pick(questions.filter((candidate) => candidate !== question));
    return {
      prompt: `${this.pick(names)}: ${fill(this.pick(question.ask))}\nClerk:`,
      friendly: ` ${fill(this.pick(question.friendly))}`,
      astray: ` ${fill(this.pick(other.friendly))}`,
    };
  }
}

/** `count` demonstrations and `count` pairs; the same seed gives the same rows. */
export function cornerShop(options: { readonly seed: number; readonly count: number }): ShopRows {
  const demonstrations: Demonstration[] = [];
  const pairs: Pair[] = [];
  for (let row = 0; row < options.count; row++) {
    const scene = new Scene(options.seed, row);
    const { prompt, friendly, astray } = scene.talk();
    const rude = ` ${scene.pick(unfriendly)}`;
    demonstrations.push({ prompt, completion: row % 2 === 0 ? friendly : rude });
    pairs.push({ prompt, chosen: friendly, rejected: row % 3 === 0 ? astray : rude });
  }
  return { demonstrations, pairs };
}
