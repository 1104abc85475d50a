// Ratings of the models whose answers were compared, from the project's pairs. Judgements that were chosen by priority
// count by the inverse of their propensity, so that what was asked for does not decide who leads. Must not write.

import {
  eloScale,
  type Fragility,
  fragilityOf,
  type Interval,
  type RandomWords,
  type RankingVote,
  rateItems,
  rateRankings,
  type SideBias,
  type Vote,
} from "../preference/index.js";
import { textOf } from "./check-judgement.js";
import type { FeedbackContent, JudgementValue } from "./judgement.js";
import { bootstrapWords } from "./random-numbers.js";
import {
  isImported,
  type ReadItem,
  type ReadJudgement,
  readItems,
  readJudgements,
} from "./read-judgements.js";
import type { Database } from "./store/tables.js";

/** All terms of style. */
export const styleTerms = ["length", "lists", "headings", "bold"] as const;
/** What of an answer's form may please by itself. */
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

/** A model's rating, and how sure it is. */
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

/** Models by what people preferred. */
export interface ModelRatings {
  /** The best first. */
  readonly models: readonly RatedModel[];
  /** "plackett-luce" where there are rankings; with style terms or Davidson's ties their implied pairs count instead. */
  readonly method: "bradley-terry" | "plackett-luce";
  /** Judgements. */
  readonly votes: number;
  /** Of these, judged elsewhere: they weigh 1, as nobody knows how likely they were to be asked. */
  readonly imported: number;
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

/** Of models whose answers were compared; empty without a vote between two of them. */
export async function rateModels(options: RateModels): Promise<ModelRatings> {
  const { seed, draws = 1000, ties = "half", styles = [] } = options;
  const gathered = await gatherVotes(options);
  const { votes, models } = gathered;
  if (votes.length === 0)
    return {
      ...{ models: [], method: "bradley-terry", votes: 0, imported: 0, bothBad: 0, styles: [] },
      ...{ annotators: 0, fewAnnotators: true },
    };
  const words = bootstrapWords(seed);
  const rated = rateItems({ items: models.length, votes, draws, ties, words });
  const method = methodOf(options, gathered);
  const items = method === "plackett-luce" ? rankedItems(gathered, draws, words) : rated.items;
  const fragile = fragilityOf(
    { items: models.length, votes, ties },
    items.map(({ group }) => group),
  );
  const rows = items.map((one, i) => ({
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
    method,
    votes: gathered.judgements,
    imported: gathered.imported,
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

function methodOf({ styles = [], ties = "half" }: RateModels, { rankings }: GatheredVotes) {
  const whole = rankings.length > 0 && styles.length === 0 && ties === "half";
  return whole ? ("plackett-luce" as const) : ("bradley-terry" as const);
}

/** Rankings whole, pairs as rankings of two. */
function rankedItems({ models, rankings, pairs }: GatheredVotes, draws: number, words: RandomWords) {
  return rateRankings({
    items: models.length,
    rankings: [...rankings, ...rankingsOfPairs(pairs)],
    draws,
    words,
  }).items;
}

function fragilityFields(next: Fragility | undefined) {
  return {
    ...(next?.votes === undefined ? {} : { fragileVotes: next.votes }),
    ...(next?.annotators === undefined ? {} : { fragileAnnotators: next.annotators }),
  };
}

interface GatheredVotes {
  /** Of pairs, and of the pairs that rankings imply. */
  readonly votes: readonly Vote[];
  readonly pairs: readonly Vote[];
  /** Of three answers and more. */
  readonly rankings: readonly RankingVote[];
  readonly models: readonly string[];
  readonly bothBad: number;
  readonly judgements: number;
  readonly imported: number;
}

async function gatherVotes(options: RateModels): Promise<GatheredVotes> {
  const { reading, project, annotators } = options;
  const gathering = new Gathering(options.styles ?? []);
  for await (const chunk of readJudgements(reading, { project })) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      const item = items.get(judgement.item);
      if (item === undefined || annotators?.has(judgement.annotator) === false) continue;
      gathering.take(judgement, item);
    }
  }
  return { ...gathering, models: [...gathering.known.keys()] };
}

class Gathering {
  readonly votes: Vote[] = [];
  readonly pairs: Vote[] = [];
  readonly rankings: RankingVote[] = [];
  readonly known = new Map<string, number>();
  private readonly people = new Map<string, number>();
  private readonly prompts = new Map<string, number>();
  bothBad = 0;
  judgements = 0;
  imported = 0;

  constructor(private readonly styles: readonly StyleTerm[]) {}

  take(judgement: ReadJudgement, item: ReadItem): void {
    for (const value of judgement.values) {
      const took =
        value.kind === "pair"
          ? this.takePair(value, judgement, item)
          : value.kind === "ranking" && this.takeRanking(value.tiers, judgement, item);
      if (!took) continue;
      this.judgements += 1;
      if (isImported(judgement)) this.imported += 1;
    }
  }

  private takePair(
    pair: JudgementValue & { kind: "pair" },
    judgement: ReadJudgement,
    item: ReadItem,
  ): boolean {
    const sides = modelsOf(judgement, item);
    const [first, second] = sides ?? [];
    if (first === undefined || second === undefined || pair.choice === "cannot_compare") return false;
    if (pair.choice === "both_bad") this.bothBad += 1;
    // Of what was judged elsewhere nobody knows the sides.
    const side = isImported(judgement) ? 0 : 1;
    const by = this.by(judgement, item);
    const vote = { ...by, score: scoreOf(pair), side, weight: weightOf(judgement) } as const;
    this.pairs.push(this.vote([first, second], vote));
    return true;
  }

  private takeRanking(
    tiers: readonly (readonly number[])[],
    judgement: ReadJudgement,
    item: ReadItem,
  ): boolean {
    const shown = modelsOf(judgement, item);
    if (shown === undefined) return false;
    const tierOf = shown.map((_, place) => tiers.findIndex((tier) => tier.includes(place)));
    const placed = tierOf.filter((tier) => tier >= 0).length;
    const ranks = tierOf.map((tier) => (tier < 0 ? tiers.length : tier) + 1);
    const weight = weightOf(judgement);
    const by = this.by(judgement, item);
    const items = shown.map(({ model }) => numberOf(this.known, model));
    this.rankings.push({ items, ranks, placed, weight, ...by });
    // Together they say as much as the choices that the ranking consists of.
    const share = (weight * 2) / shown.length;
    for (const [a, first] of shown.entries())
      for (const [b, second] of shown.entries()) {
        if (a >= b || (tierOf[a] === -1 && tierOf[b] === -1)) continue;
        const lead = Math.sign((ranks[b] ?? 0) - (ranks[a] ?? 0));
        this.vote([first, second], { ...by, score: (1 + lead) / 2, side: 0, weight: share });
      }
    return true;
  }

  private by({ annotator }: ReadJudgement, { promptHash }: ReadItem) {
    return {
      annotator: numberOf(this.people, annotator),
      prompt: numberOf(this.prompts, promptHash),
    };
  }

  private vote(
    [a, b]: readonly [ModelAnswer, ModelAnswer],
    vote: Omit<Vote, "first" | "second" | "style">,
  ): Vote {
    const style = this.styles.map((term) => styleGap(term, [a.content, b.content]));
    const [first, second] = [numberOf(this.known, a.model), numberOf(this.known, b.model)];
    const whole: Vote = { first, second, ...vote, ...(style.length === 0 ? {} : { style }) };
    this.votes.push(whole);
    return whole;
  }
}

interface ModelAnswer {
  readonly model: string;
  readonly content: FeedbackContent;
}

/** As shown; undefined where not every answer is of a model of its own. */
function modelsOf({ shown }: ReadJudgement, { answers }: ReadItem): readonly ModelAnswer[] | undefined {
  const found = shown.flatMap((place) => {
    const { model, content = "" } = answers[place] ?? {};
    return model === undefined ? [] : [{ model, content }];
  });
  const different = new Set(found.map(({ model }) => model)).size;
  return different === shown.length && different > 1 ? found : undefined;
}

/** A tie is a win for each, of half its weight. */
function rankingsOfPairs(votes: readonly Vote[]): readonly RankingVote[] {
  return votes.flatMap(({ first, second, score, weight = 1, annotator, prompt }) => {
    const by = { annotator, prompt, ranks: [1, 2] };
    const won = { items: [first, second], weight: weight * score, ...by };
    const lost = { items: [second, first], weight: weight * (1 - score), ...by };
    return [won, lost].filter((ranking) => ranking.weight > 0);
  });
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
