// What is known of each annotator: how much they judged, how often gold and their own earlier self agree with them, how far
// they are to be trusted, which side they favour. Must not write.

import {
  type Consensus,
  consensusOf,
  fitSideBiases,
  groupedBy,
  type Interval,
  type PairVote,
  type SideBiases,
  type Vote,
  wilsonInterval,
} from "../preference/index.js";
import type { Ask } from "./judgement.js";
import { type Meaning, meaningOf, NEAR, saySame } from "./meaning.js";
import {
  isImported,
  type ReadItem,
  type ReadJudgement,
  readGoldItems,
  readItems,
  readJudgements,
  readModels,
} from "./read-judgements.js";
import type { Database } from "./store/tables.js";

export interface ShareOf {
  readonly right: number;
  readonly count: number;
  /** 95%, Wilson's. */
  readonly interval: Interval;
}

/** What is known of one annotator. */
export interface PersonFacts {
  readonly annotator: string;
  readonly name: string;
  readonly group: string | undefined;
  readonly judgements: number;
  readonly skips: number;
  /** Of those that took a second and more. */
  readonly medianMs: number;
  readonly gold: ShareOf | undefined;
  /** Own items shown again, sides swapped: how often the answer was the same. */
  readonly repeats: ShareOf | undefined;
  /** Probability of a right vote, 0.5 to 0.98; undefined without pairs. */
  readonly reliability: number | undefined;
  /** Log-odds by which they favour the left side more than everyone does. */
  readonly sideBias: number | undefined;
  /** Surely right on fewer than eight in ten gold items: for an owner to look at. */
  readonly flagged: boolean;
}

/** Annotators who declared the same: what they say by themselves, so that no few are hidden among all. */
export interface GroupFacts {
  readonly group: string;
  readonly annotators: number;
  readonly judgements: number;
  /** Of their votes alone. */
  readonly consensus: Consensus;
  /** Pairs on which they and all together prefer the same answer, of those on which both prefer one. */
  readonly withAll: ShareOf | undefined;
}

/** What is known of the annotators of a project, and what they say together. */
export interface PeopleFacts {
  readonly people: readonly PersonFacts[];
  readonly groups: readonly GroupFacts[];
  readonly consensus: Consensus;
  /** By item: the number that stands for it in the consensus. */
  readonly units: ReadonlyMap<string, number>;
  readonly sides: SideBiases;
}

const LEAST_ACCURACY = 0.8;

/** `simulated` false: without those who are. */
export async function peopleFacts(
  reading: Database,
  project: string,
  { simulated = true }: { readonly simulated?: boolean } = {},
): Promise<PeopleFacts> {
  const gathered = new GatheredPeople(
    await readGoldItems(reading, project),
    await repeatedOf(reading, project),
  );
  const purposes = ["work", "import", "gold", "repeat"] as const;
  for await (const chunk of readJudgements(reading, { project, purposes, late: true, simulated })) {
    const models = await readModels(reading, project, chunk);
    for (const judgement of chunk) gathered.take(judgement, models.get(judgement.item) ?? []);
  }
  const { sides, consensus } = gathered.fit();
  const skips = await skipsOf(reading, project);
  const rows = await reading
    .selectFrom("annotators")
    .select(["annotator", "number", "name", "declared_group"])
    .where("project", "=", project)
    .orderBy("number")
    .execute();
  const people = rows.map(({ annotator, name, declared_group }): PersonFacts => {
    const facts = gathered.of(annotator);
    const gold = shareOf(facts.gold);
    return {
      annotator,
      name,
      group: declared_group ?? undefined,
      judgements: facts.times.length,
      skips: skips.get(annotator) ?? 0,
      medianMs: medianOf(facts.times),
      gold,
      repeats: shareOf(facts.repeats),
      reliability: consensus.reliability.get(facts.number),
      sideBias: sides.own.get(facts.number),
      flagged: gold !== undefined && gold.interval.high < LEAST_ACCURACY,
    };
  });
  return { people, groups: gathered.groups(people, consensus), consensus, units: gathered.units, sides };
}

interface Repeated {
  /** Whoever judged an item twice, and which: all others' first judgements need not be remembered. */
  readonly keys: ReadonlySet<string>;
  /** By item. */
  readonly asks: ReadonlyMap<string, readonly Ask[]>;
}

async function repeatedOf(reading: Database, project: string): Promise<Repeated> {
  const rows = await reading
    .selectFrom("judgements")
    .select(["annotator", "item"])
    .where("project", "=", project)
    .where("purpose", "=", "repeat")
    .execute();
  const items = await readItems(
    reading,
    project,
    rows.map(({ item }) => item),
  );
  return {
    keys: new Set(rows.map(keyOf)),
    asks: new Map([...items].map(([item, { asks }]) => [item, asks])),
  };
}

function keyOf({ annotator, item }: { readonly annotator: string; readonly item: string }): string {
  return `${annotator} ${item}`;
}

async function skipsOf(reading: Database, project: string): Promise<Map<string, number>> {
  const rows = await reading
    .selectFrom("skips")
    .select((e) => ["annotator", e.fn.countAll<number>().as("count")])
    .where("project", "=", project)
    .groupBy("annotator")
    .execute();
  return new Map(rows.map(({ annotator, count }) => [annotator, Number(count)]));
}

interface Facts {
  readonly number: number;
  readonly times: number[];
  readonly gold: { right: number; count: number };
  readonly repeats: { right: number; count: number };
}

interface OfVote {
  readonly annotator: number;
  /** Of the item's answers. */
  readonly models: readonly (string | undefined)[];
}

class GatheredPeople {
  readonly units = new Map<string, number>();
  private readonly people = new Map<string, Facts>();
  private readonly said = new Map<string, Meaning>();
  private readonly pairs: PairVote[] = [];
  private readonly goldUnits = new Map<number, "first" | "second">();
  /** Of shown pairs, how often each annotator said the same: all that a bias towards a side is seen from. */
  private readonly sided = new Map<string, Vote & { weight: number }>();
  /** Models as items that are rated, behind the first and the second of answers without. */
  private readonly rated = new Map<string, number>();
  private bias: (annotator: number) => number = () => 0;

  constructor(
    private readonly goldItems: ReadonlyMap<string, ReadItem>,
    private readonly repeated: Repeated,
  ) {}

  of(annotator: string): Facts {
    const known = this.people.get(annotator) ?? {
      number: this.people.size,
      times: [],
      gold: { right: 0, count: 0 },
      repeats: { right: 0, count: 0 },
    };
    this.people.set(annotator, known);
    return known;
  }

  /** `models`: of the item's answers. */
  take(judgement: ReadJudgement, models: readonly (string | undefined)[]): void {
    const { annotator, purpose, activeMs, values, shown } = judgement;
    const facts = this.of(annotator);
    facts.times.push(activeMs);
    const meaning = meaningOf(values, shown);
    if (purpose === "gold") this.takeGold(judgement, facts, meaning);
    if (this.repeated.keys.has(keyOf(judgement))) this.takeRepeated(judgement, facts, meaning);
    if (purpose !== "repeat") this.takePair(judgement, { annotator: facts.number, models });
  }

  private takeGold({ item }: ReadJudgement, { gold }: Facts, meaning: Meaning): void {
    const known = this.goldItems.get(item);
    if (known?.gold === undefined) return;
    const right = meaningOf(
      known.gold,
      known.answers.map((_, i) => i),
    );
    const same = saySame([meaning, right], { asks: known.asks, share: NEAR });
    if (same === undefined) return;
    gold.count += 1;
    if (same) gold.right += 1;
  }

  private takeRepeated(judgement: ReadJudgement, { repeats }: Facts, meaning: Meaning): void {
    const key = keyOf(judgement);
    const before = this.said.get(key);
    const asks = this.repeated.asks.get(judgement.item) ?? [];
    const same =
      judgement.purpose !== "repeat" || before === undefined
        ? undefined
        : saySame([before, meaning], { asks, share: NEAR });
    if (same === undefined) {
      this.said.set(key, meaning);
      return;
    }
    repeats.count += 1;
    if (same) repeats.right += 1;
  }

  private takePair(judgement: ReadJudgement, { annotator, models }: OfVote): void {
    const { values, shown, item } = judgement;
    const pair = values.find((value) => value.kind === "pair");
    if (pair?.kind !== "pair" || pair.choice === "cannot_compare") return;
    const unit = this.units.get(item) ?? this.units.size;
    this.units.set(item, unit);
    const left = shown[0] === 0 ? "first" : "second";
    const right = left === "first" ? "second" : "first";
    const choice = pair.choice === "left" ? left : pair.choice === "right" ? right : "tie";
    const sided = !isImported(judgement);
    this.pairs.push({ unit, annotator, choice, ...(sided ? { left } : {}) });
    const known = this.goldItems.get(item)?.gold?.find((value) => value.kind === "pair");
    if (known?.kind === "pair" && known.choice === "left") this.goldUnits.set(unit, "first");
    if (known?.kind === "pair" && known.choice === "right") this.goldUnits.set(unit, "second");
    if (!sided) return;
    const score = left === choice ? 1 : right === choice ? 0 : 0.5;
    this.takeSide(judgement.shown, { annotator, models, score });
  }

  /** Answers are rated by their models; where those are not known, or the same, as first and second answers. */
  private takeSide(
    shown: readonly number[],
    { annotator, models, score }: OfVote & { readonly score: number },
  ): void {
    const [left, right] = [models[shown[0] ?? 0], models[shown[1] ?? 1]];
    const named = left !== undefined && right !== undefined && left !== right;
    // By answer: sides are drawn, so that what the first answers are worth is not taken for a side.
    const turned = !named && shown[0] !== 0;
    const [first, second] = named ? [this.ratedNumber(left), this.ratedNumber(right)] : [0, 1];
    const vote: Vote = {
      ...{ first, second, annotator, prompt: 0 },
      score: turned ? 1 - score : score,
      side: turned ? -1 : 1,
    };
    const key = JSON.stringify(vote);
    const alike = this.sided.get(key) ?? { ...vote, weight: 0 };
    this.sided.set(key, alike);
    alike.weight += 1;
  }

  private ratedNumber(model: string): number {
    const number = this.rated.get(model) ?? this.rated.size + 2;
    this.rated.set(model, number);
    return number;
  }

  fit() {
    const sides = fitSideBiases({ items: this.rated.size + 2, votes: [...this.sided.values()] });
    this.bias = (annotator) => sides.gamma + (sides.own.get(annotator) ?? 0);
    return { sides, consensus: this.consensusAmong(this.pairs) };
  }

  /** Behind fit(). */
  groups(people: readonly PersonFacts[], all: Consensus): readonly GroupFacts[] {
    const groups = groupedBy(
      people.filter(({ group }) => group !== undefined),
      ({ group }) => group ?? "",
    );
    return [...groups].map(([group, members]) => {
      const numbers = new Set(members.map(({ annotator }) => this.of(annotator).number));
      const consensus = this.consensusAmong(this.pairs.filter(({ annotator }) => numbers.has(annotator)));
      const judgements = members.reduce((sum, member) => sum + member.judgements, 0);
      const withAll = shareOf(sameSides(consensus, all));
      return { group, annotators: members.length, judgements, consensus, withAll };
    });
  }

  private consensusAmong(votes: readonly PairVote[]): Consensus {
    return consensusOf({ votes, gold: this.goldUnits, bias: this.bias });
  }
}

function sameSides(own: Consensus, all: Consensus) {
  let [right, count] = [0, 0];
  for (const [unit, label] of own.labels) {
    const [mine, others] = [Math.sign(label - 0.5), Math.sign((all.labels.get(unit) ?? 0.5) - 0.5)];
    if (mine === 0 || others === 0) continue;
    count += 1;
    if (mine === others) right += 1;
  }
  return { right, count };
}

function shareOf({ right, count }: { right: number; count: number }): ShareOf | undefined {
  return count === 0 ? undefined : { right, count, interval: wilsonInterval({ successes: right, count }) };
}

function medianOf(times: readonly number[]): number {
  const sorted = times.filter((time) => time >= 1000).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
