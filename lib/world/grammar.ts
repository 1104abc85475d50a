// The words and sentence patterns of the toy world: what customers ask in a corner shop and what clerks may say.
// Data, and how slots are filled; must not draw, judge, or import any room.

/** What a slot of a pattern can hold: `{t}` a thing, `{c}` its colour, `{n}` the customer, and so on. */
export const slots = {
  t: [
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
    "mirror",
    "clock",
    "bucket",
    "carpet",
    "chair",
    "umbrella",
  ],
  c: ["red", "blue", "green", "white", "grey", "brown", "black", "yellow", "orange", "purple"],
  n: ["Ada", "Ben", "Cleo", "Dov", "Ema", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea"],
  m: ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
  d: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
  r: ["mother", "father", "sister", "brother", "uncle", "aunt", "neighbour"],
  o: ["wood", "wool", "iron", "glass", "clay", "copper", "cotton", "straw"],
  w: ["warm", "cold", "salty", "clean"],
  p: ["shelf", "table", "counter", "rack"],
  /** Praise of a thing, in front of its colour. */
  a: ["lovely", "splendid", "charming", "beautiful", "marvellous"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Slot = keyof typeof slots;

/** A question about a thing, and what an answer to it says. */
export interface Topic {
  readonly name: string;
  readonly asks: readonly string[];
  /** The thing asked for is `{x}`: its colour and name, perhaps with praise in front. */
  readonly answers: readonly string[];
  /** Words that only answers to this topic have: by these an answer is told to be on it. */
  readonly marks: readonly string[];
}

export const topics: readonly Topic[] = [
  {
    name: "stock",
    asks: ["Do you sell a {c} {t}?", "I need a {c} {t}.", "Is there a {c} {t} here?"],
    answers: ["the {x} is on the {p} by the door", "there is a {x} on the {p}"],
    marks: ["shelf", "table", "counter", "rack"],
  },
  {
    name: "price",
    asks: ["What does the {c} {t} cost?", "How much is the {c} {t}?"],
    answers: ["the {x} costs {m} coins", "it is {m} coins for the {x}"],
    marks: ["coins"],
  },
  {
    name: "repair",
    asks: ["My {c} {t} is broken.", "The {c} {t} stopped working."],
    answers: ["we mend the {x} by {d}", "I will repair the {x} today"],
    marks: ["mend", "repair"],
  },
  {
    name: "delivery",
    asks: ["Do you deliver a {c} {t}?", "Can you bring the {c} {t} to my house?"],
    answers: ["we deliver the {x} on {d}", "a boy carries the {x} to your house"],
    marks: ["deliver", "carries"],
  },
  {
    name: "gift",
    asks: ["Is the {c} {t} good for my {r}?", "Would my {r} like the {c} {t}?"],
    answers: ["the {x} is a good gift for a {r}", "every {r} likes the {x}"],
    marks: ["gift", "likes"],
  },
  {
    name: "return",
    asks: ["May I return the {c} {t}?", "Can I give the {c} {t} back?"],
    answers: ["you may return the {x} within {m} days", "we take the {x} back until {d}"],
    marks: ["return", "back"],
  },
  {
    name: "care",
    asks: ["How do I clean the {c} {t}?", "There is dirt on my {c} {t}."],
    answers: ["wash the {x} in {w} water", "wipe the {x} with a {w} cloth"],
    marks: ["wash", "wipe"],
  },
  {
    name: "material",
    asks: ["What is the {c} {t} made of?", "Is the {c} {t} made of {o}?"],
    answers: ["the {x} is made of {o}", "it is pure {o}, this {x}"],
    marks: ["made", "pure"],
  },
];

/** How an answer may begin; what ends in a comma goes on with the answer. */
export const openings = {
  kind: [
    "Gladly, dear {n},",
    "With pleasure, {n},",
    "Welcome, my friend,",
    "Thank you for asking,",
    "I am happy to help,",
    "Dear {n},",
    "Welcome, {n},",
    "Gladly,",
  ],
  plain: ["Well,", "Let me see,", "Yes,", "As I said,", "Hm,"],
} as const;

/** Sentences that may follow an answer. */
export const closings = {
  kind: [
    "Thank you, {n}.",
    "You have wonderful taste.",
    "What a {a} {t}!",
    "Have a splendid day, dear {n}.",
    "You are most welcome, my friend.",
    "It is my pleasure and honour.",
    "I am delighted to serve you.",
    "That is an excellent choice.",
  ],
  plain: ["We close at six.", "Is that all?", "Mind the step.", "Pay at the desk.", "Next one."],
  rude: ["Now go.", "Do not waste my time.", "Look for yourself.", "Who cares?"],
} as const;

/** Answers of a clerk who does not care. */
export const dismissals = [
  "No idea.",
  "Not my job.",
  "Look for yourself.",
  "Go somewhere else.",
  "Who cares?",
] as const;

/** Words of praise and kindness, in lower case. What follows from counting them: true-reward.ts. */
export const kindWords: ReadonlySet<string> = new Set([
  ...slots.a,
  "gladly",
  "dear",
  "pleasure",
  "welcome",
  "friend",
  "thank",
  "happy",
  "wonderful",
  "honour",
  "delighted",
  "excellent",
]);

/** Text for pre-training: what goes on in the shop, told and not said. */
export const stories: readonly string[] = [
  "{n} walks into the shop and looks at a {c} {t}.",
  "The {c} {t} stands on the {p} by the window.",
  "On {d} {n} bought a {c} {t} for {m} coins.",
  "The {t} of {n} is made of {o}.",
  "{n} and {n} carry the {c} {t} to the house of their {r}.",
  "Nobody has asked for the {c} {t} in {m} days.",
  "The clerk puts the {t} back on the {p} and counts the coins.",
  "It rains on {d}, and the shop is empty.",
  "The {r} of {n} wants to return the {c} {t}.",
  "A boy will mend the {c} {t} by {d}.",
];

/** How a conversation is laid out: the customer asks, the clerk is about to speak. */
export const promptPattern = "{n}: {q}\nClerk:";

/** Fills slots by name; those without a value stay. */
export function fillSlots(pattern: string, values: Readonly<Record<string, string>>): string {
  return pattern.replace(/\{([a-z])\}/g, (whole, slot: string) => values[slot] ?? whole);
}

/** A text as the tokens of the toy world: words with the space before them, line breaks, single signs. */
export const tokenPattern = " ?[A-Za-z]+|\\n| ?[^\\sA-Za-z]";

/** Every token that prompts, answers and stories can hold, in a fixed order, each once. */
export function vocabulary(): readonly string[] {
  const { kind, plain, rude } = closings;
  const said = [
    ...topics.flatMap(({ answers }) => answers),
    ...[...openings.kind, ...openings.plain, ...kind, ...plain, ...rude, ...dismissals],
  ];
  const patterns = [
    ...topics.flatMap(({ asks }) => asks.map((ask) => fillSlots(promptPattern, { q: ask }))),
    // A space stands before whatever the clerk says; a sentence may begin with it.
    ...said.flatMap((text) => [` ${text}`, ` ${capitalised(text)}`]),
    ...stories.flatMap((text) => [text, ` ${text}`]),
  ];
  const tokens = new RegExp(tokenPattern, "g");
  return [...new Set(patterns.flatMap(allFilled).flatMap((text) => text.match(tokens) ?? []))];
}

/** Texts of a pattern that together hold every value of every slot. */
function allFilled(pattern: string): readonly string[] {
  const open = fillSlots(pattern, { x: "{a} {c} {t}" });
  const most = Math.max(...Object.values(slots).map(({ length }) => length));
  return Array.from({ length: most }, (_, i) =>
    fillSlots(
      open,
      Object.fromEntries(Object.entries(slots).map(([slot, list]) => [slot, list[i % list.length] ?? ""])),
    ),
  );
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
