// Who is asked what next: a share of leases uniformly over open items, the others by priority; the probability of what was
// chosen is found exactly and stored. Pure: draws are handed in.

import type { OpenItem, OpenItems } from "./open-items.js";

export interface ChooseItem {
  readonly open: OpenItems;
  readonly annotator: string;
  /** Share of uniform draws. */
  readonly random: number;
  /** False: the person has had as many unsafe items today as one should. */
  readonly unsafeToo: boolean;
  /** The next of a stream of numbers in [0, 1). */
  readonly draw: () => number;
}

export interface ChosenItem {
  readonly item: OpenItem;
  /** random / n + (1 - random) q(item), q the softmax over priorities among the n items open to this person. */
  readonly propensity: number;
  readonly available: number;
  readonly random: boolean;
}

/** Draws that may fall on what the person has seen before all open items are looked at. */
const TRIES = 40;

/** Undefined where nothing is open to the person. */
export function chooseItem(options: ChooseItem): ChosenItem | undefined {
  const { open, random, draw } = options;
  const barred = barredItems(options);
  let barredWeight = 0;
  for (const item of barred) barredWeight += open.weightOf(item);
  const available = open.freeItems().size - barred.size;
  if (available <= 0) return undefined;
  const uniformly = draw() < random;
  const item = uniformly ? uniformItem(options, barred) : weightedItem(options, barred);
  const weight = weightOfOpen(open, barred, barredWeight);
  const share = weight > 0 ? open.weightOf(item) / weight : 1 / available;
  return {
    item,
    propensity: random / available + (1 - random) * Math.min(1, share),
    available,
    random: uniformly,
  };
}

/** Where less than this share of all weight is open to the person, a difference of sums would be rounding alone. */
const SMALL_SHARE = 1e-6;

/** Of the items that are open to the person. */
function weightOfOpen(open: OpenItems, barred: ReadonlySet<OpenItem>, barredWeight: number): number {
  const total = open.totalWeight();
  if (total - barredWeight > SMALL_SHARE * total) return total - barredWeight;
  let sum = 0;
  for (const item of open.freeItems()) if (!barred.has(item)) sum += open.weightOf(item);
  return sum;
}

/** Open items that are not for this person: what they have had. */
function barredItems({ open, annotator, unsafeToo }: ChooseItem): ReadonlySet<OpenItem> {
  const barred = open.barredFor(annotator);
  return unsafeToo || open.unsafe.size === 0 ? barred : new Set([...barred, ...open.unsafe]);
}

function uniformItem({ open, draw }: ChooseItem, barred: ReadonlySet<OpenItem>): OpenItem {
  const free = open.freeItems();
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const item = open.evenItemAt(draw());
    if (item !== undefined && free.has(item) && !barred.has(item)) return item;
  }
  const left = [...free].filter((item) => !barred.has(item));
  const item = left[Math.floor(draw() * left.length)];
  if (item === undefined) throw new Error("an item is open to the person");
  return item;
}

function weightedItem({ open, draw }: ChooseItem, barred: ReadonlySet<OpenItem>): OpenItem {
  const free = open.freeItems();
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const item = open.itemAt(draw());
    if (item !== undefined && free.has(item) && !barred.has(item)) return item;
  }
  // Almost everything is barred: the rest is few.
  const left = [...free].filter((item) => !barred.has(item));
  let rest = draw() * left.reduce((sum, item) => sum + open.weightOf(item), 0);
  for (const item of left) {
    rest -= open.weightOf(item);
    if (rest < 0) return item;
  }
  const last = left.at(-1);
  if (last === undefined) throw new Error("an item is open to the person");
  return last;
}
