// Ratings of the models whose answers were compared, from the project's pairs. Judgements that were chosen by priority
// count by the inverse of their propensity, so that what was asked for does not decide who leads. Must not write.

import {
  eloScale,
  type Fragility,
  fragilityOf,
  type Interval,
  rateItems,
  type SideBias,
  type Vote,
} from "../preference/index.js";
import { textOf } from "./check-judgement.js";
import type { FeedbackContent, JudgementValue } from "./judgement.js";
import { bootstrapWords } from "./random-numbers.js";
import { type ReadItem, type ReadJudgement, readItems, readJudgements } from "./read-judgements.js";
import type { Database } from "./store/tables.js";

export const styleTerms = ["length", "lists", "headings", "bold"] as const;
export type StyleTerm = (typeof styleTerms)[number];

export interface RateModels {
  readonly reading: Database;
  readonly project: string;
  readonly seed: number;
  /** Default 1000. */
  readonly draws?: number;
  /** Default "half". */
  readonly ties?: "half" | "davidson";
  /** What of an answer's form may have pleased, to be taken out. Default none. */
  readonly styles?: readonly StyleTerm[];
  /** Of these annotators alone. */
  readonly annotators?: ReadonlySet<string>;
}

export interface RatedModel {
  readonly model: string;
  /** 1000 and 400 points for odds of ten to one. */
  readonly rating: number;
  readonly interval: Interval;
  readonly rank: number;
  /** Models of different groups were never compared. */
  readonly group: number;
  readonly votes: number;
  /** What would have to be missing for the next one to pass it; undefined: nothing found, or it is the last. */
  readonly fragileVotes?: number;
  readonly fragileAnnotators?: number;
}

export interface ModelRatings {
  /** The best first. */
  readonly models: readonly RatedModel[];
  readonly votes: number;
  /** Both bad: as ties above, and worth knowing. */
  readonly bothBad: number;
  readonly side?: SideBias;
  readonly styles: readonly {
    readonly style: StyleTerm;
    readonly coefficient: number;
    readonly interval: Interval;
  }[];
  readonly tieStrength?: number;
  readonly annotators: number;
  readonly fewAnnotators: boolean;
}

/** Weights above this would let one lucky vote decide. */
const MOST_WEIGHT = 5;

export async function rateModels(options: RateModels): Promise<ModelRatings> {
  const { seed, draws = 1000, ties = "half", styles = [] } = options;
  const gathered = await gatherVotes(options);
  const { votes, models } = gathered;
  if (votes.length === 0)
    return { models: [], votes: 0, bothBad: 0, styles: [], annotators: 0, fewAnnotators: true };
  const rated = rateItems({ items: models.length, votes, draws, ties, words: bootstrapWords(seed) });
  const fragile = fragilityOf(
    { items: models.length, votes, ties },
    rated.items.map(({ group }) => group),
  );
  const rows = rated.items.map((one, i) => ({
    ...one,
    model: models[i] ?? "",
    fragile: fragile.find((f) => f.above === i),
  }));
  return {
    models: rows
      .sort((a, b) => b.rating - a.rating)
      .map(({ model, rating, interval, rank, group, votes: count, fragile: next }) => ({
        model,
        rating: eloScale(rating),
        interval: { low: eloScale(interval.low), high: eloScale(interval.high) },
        rank,
        group,
        votes: count,
        ...fragilityFields(next),
      })),
    votes: votes.length,
    bothBad: gathered.bothBad,
    ...(rated.side === undefined ? {} : { side: rated.side }),
    styles: styles.map((style, i) => ({
      style,
      ...(rated.styles[i] ?? { coefficient: 0, interval: { low: 0, high: 0 } }),
    })),
    ...(rated.tieStrength === undefined ? {} : { tieStrength: rated.tieStrength }),
    annotators: rated.annotators,
    fewAnnotators: rated.fewAnnotators,
  };
}

function fragilityFields(next: Fragility | undefined) {
  return {
    ...(next?.votes === undefined ? {} : { fragileVotes: next.votes }),
    ...(next?.annotators === undefined ? {} : { fragileAnnotators: next.annotators }),
  };
}

interface GatheredVotes {
  readonly votes: readonly Vote[];
  readonly models: readonly string[];
  readonly bothBad: number;
}

async function gatherVotes({
  reading,
  project,
  styles = [],
  annotators,
}: RateModels): Promise<GatheredVotes> {
  const [models, people, prompts] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  const votes: Vote[] = [];
  let bothBad = 0;
  for await (const chunk of readJudgements(reading, { project })) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      if (annotators !== undefined && !annotators.has(judgement.annotator)) continue;
      const pair = judgement.values.find((value) => value.kind === "pair");
      const item = items.get(judgement.item);
      const sides = item === undefined || pair === undefined ? undefined : sidesOf(judgement, item);
      if (sides === undefined || pair?.kind !== "pair" || pair.choice === "cannot_compare") continue;
      if (pair.choice === "both_bad") bothBad += 1;
      votes.push({
        first: numberOf(models, sides.models[0]),
        second: numberOf(models, sides.models[1]),
        score: scoreOf(pair),
        annotator: numberOf(people, judgement.annotator),
        prompt: numberOf(prompts, item?.promptHash ?? ""),
        side: 1,
        weight: weightOf(judgement),
        ...(styles.length === 0 ? {} : { style: styles.map((style) => styleGap(style, sides.answers)) }),
      });
    }
  }
  return { votes, models: [...models.keys()], bothBad };
}

/** 1 / (n propensity): as if everything open had been as likely as everything else. */
export function weightOf({ propensity, available, purpose }: ReadJudgement): number {
  return purpose === "work" ? Math.min(MOST_WEIGHT, 1 / (available * propensity)) : 1;
}

function numberOf(known: Map<string, number>, name: string): number {
  const number = known.get(name) ?? known.size;
  known.set(name, number);
  return number;
}

interface Sides {
  readonly models: readonly [string, string];
  readonly answers: readonly [FeedbackContent, FeedbackContent];
}

/** Left and right; undefined where no two models meet. */
function sidesOf({ shown }: ReadJudgement, { answers }: ReadItem): Sides | undefined {
  const [left, right] = shown.map((place) => answers[place]);
  if (left?.model === undefined || right?.model === undefined || left.model === right.model) return undefined;
  return { models: [left.model, right.model], answers: [left.content, right.content] };
}

function scoreOf({ choice }: JudgementValue & { kind: "pair" }): number {
  return choice === "left" ? 1 : choice === "right" ? 0 : 0.5;
}

/** Of the left answer less the right one: length in doublings, others in counts, square roots of them. */
function styleGap(style: StyleTerm, [left, right]: readonly [FeedbackContent, FeedbackContent]): number {
  return amountOf(style, textOf(left)) - amountOf(style, textOf(right));
}

function amountOf(style: StyleTerm, text: string): number {
  switch (style) {
    case "length":
      return Math.log2(1 + text.length);
    case "lists":
      return Math.sqrt(text.match(/^\s*(?:[-*+]|\d+[.)])\s/gm)?.length ?? 0);
    case "headings":
      return Math.sqrt(text.match(/^#{1,6}\s/gm)?.length ?? 0);
    case "bold":
      return Math.sqrt(text.match(/\*\*[^*\n]+\*\*/g)?.length ?? 0);
  }
}
