// What of a judgement decides whether two people, or one person twice, say the same. Pure.

import type { Ask, JudgementValue } from "./judgement.js";

/**
 * Choices, orders, thumbs and ratings by what they are of, by answer rather than by side; not strengths and texts. Every way
 * not to prefer an answer is one of its own: who finds both good contradicts whoever finds both bad.
 */
export type Meaning = ReadonlyMap<string, string | number>;

/** Empty where nothing is comparable: so too of whoever says that a pair cannot be compared, which is no tie. */
export function meaningOf(values: readonly JudgementValue[], shown: readonly number[]): Meaning {
  return new Map(values.flatMap((value) => partsOf(value, shown)));
}

function partsOf(value: JudgementValue, shown: readonly number[]): readonly [string, string | number][] {
  switch (value.kind) {
    case "pair":
      if (value.choice === "cannot_compare") return [];
      if (value.choice === "left") return [["pair", `${shown[0]}`]];
      return [["pair", value.choice === "right" ? `${shown[1]}` : value.choice]];
    case "ranking":
      return [
        ["ranking", JSON.stringify(value.tiers.map((tier) => tier.map((place) => shown[place]).sort()))],
      ];
    case "thumb":
      return [[`thumb ${shown[value.answer]}`, `${value.up}`]];
    case "rating":
      return [[`rating ${shown[value.answer]} ${value.axis}`, value.value]];
    default:
      return [];
  }
}

/**
 * Ratings of known answers and own earlier ones may be off by a sixth of their scale: by one step of seven, not at all on
 * scales of five.
 */
export const NEAR = 1 / 6;
/** People whose ratings are further apart than a third of the scale do not agree. */
export const APART = 1 / 3;

export interface SaySame {
  /** Of the item: they have the scales of ratings. */
  readonly asks: readonly Ask[];
  /** Ratings of one axis may lie this share of its scale apart; without a scale they must be equal. */
  readonly share: number;
}

/** Whether all say the same of what they all speak of; undefined where they speak of nothing together. */
export function saySame(said: readonly Meaning[], { asks, share }: SaySame): boolean | undefined {
  const [first = new Map<string, string | number>(), ...others] = said;
  const shared = [...first.keys()].filter((of) => others.every((other) => other.has(of)));
  if (shared.length === 0) return undefined;
  return shared.every((of) => {
    const values = said.map((meaning) => meaning.get(of));
    const numbers = values.filter((value) => typeof value === "number");
    if (numbers.length === 0) return new Set(values).size === 1;
    const scale = asks.find((ask) => ask.kind === "rating" && of.endsWith(` ${ask.axis}`));
    const range = scale?.kind === "rating" ? scale.high - scale.low : 0;
    return Math.max(...numbers) - Math.min(...numbers) <= share * range + 1e-9;
  });
}
