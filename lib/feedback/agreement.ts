// How far people agree beyond chance, by kind of judgement, with intervals. Items that were drawn to be judged by several
// count, and of each its first judgements alone: those that were asked for because people disagreed would say that they
// disagree more than they do. What was chosen by priority weighs by how likely it was. Must not write.

import {
  type Alpha,
  alphaInterval,
  type Interval,
  type KrippendorffOptions,
  krippendorffAlpha,
  type Level,
  rankCorrelationOf,
} from "../preference/index.js";
import type { JudgementValue } from "./judgement.js";
import { weightOf } from "./model-ratings.js";
import { bootstrapWords } from "./random-numbers.js";
import {
  declaredGroups,
  isImported,
  type ReadItem,
  type ReadJudgement,
  readItems,
  readJudgements,
} from "./read-judgements.js";
import type { Database } from "./store/tables.js";

/** Whose agreement is measured, and how often it is drawn again for the interval. */
export interface MeasureAgreement {
  readonly reading: Database;
  readonly project: string;
  readonly seed: number;
  /** Of the bootstrap over items. Default 1000. */
  readonly draws?: number;
  /** Of these annotators alone. */
  readonly annotators?: ReadonlySet<string>;
}

export interface MeasuredAgreement extends Alpha {
  readonly interval: Interval;
  /** Share of pairs of judgements that say the same; never to be read without alpha: chance alone makes it large. */
  readonly percent: number;
}

/** Agreement on one kind of judgement, of all and by group. */
export interface Agreement extends MeasuredAgreement {
  /** pair, strength, thumb, ranking, or "rating: axis". */
  readonly of: string;
  readonly level: Level;
  /** Of the values, those that were judged elsewhere: all of an item count, as nobody here asked for more of them. */
  readonly imported: number;
  /** Inside each declared group of annotators of whom two judged the same: all together may hide a few. */
  readonly byGroup?: Readonly<Record<string, MeasuredAgreement>>;
  /** Of rankings: mean Kendall tau-b of two people's orders of one item. */
  readonly tau?: number;
}

/** Empty where no two people judged the same. */
export async function measureAgreement(options: MeasureAgreement): Promise<readonly Agreement[]> {
  const { seed, draws = 1000 } = options;
  const units = await unitsOf(options);
  const measuring = { seed, draws };
  return [...units]
    .filter(([, { values }]) => isShared([...values.values()]))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([of, { level, values, taus }]) => {
      const all = [...values.values()];
      return {
        ...{ of, level, imported: all.flatMap(({ said }) => said).filter((one) => one.imported).length },
        ...measured(all, { level, mirrored: isOfOrders(of) }, measuring),
        ...groupsOf(all, { level, mirrored: isOfOrders(of) }, measuring),
        ...(taus.length === 0 ? {} : { tau: taus.reduce((sum, tau) => sum + tau, 0) / taus.length }),
      };
    });
}

/** Their values say which of two answers is better, in an order that means nothing. */
function isOfOrders(of: string): boolean {
  return of === "pair" || of === "ranking";
}

type Scale = Required<Omit<KrippendorffOptions, "units" | "weights">>;

interface Said {
  readonly value: number;
  readonly group: string | undefined;
  readonly imported: boolean;
  /** Of the judgement: how much less likely it was to be asked for than one drawn from all. */
  readonly weight: number;
}

/** What several people judged. */
interface SharedUnit {
  /** Number of the item it belongs to. */
  readonly item: number;
  readonly said: readonly Said[];
}

type SharedUnits = readonly SharedUnit[];

interface Measuring {
  readonly seed: number;
  readonly draws: number;
}

function isShared(units: SharedUnits): boolean {
  return units.some(({ said }) => said.length > 1);
}

function measured(shared: SharedUnits, scale: Scale, { seed, draws }: Measuring): MeasuredAgreement {
  const counted = shared.filter(({ said }) => said.length > 1);
  const units = counted.map(({ said }) => said.map(({ value }) => value));
  const weights = counted.map(({ said }) => said.reduce((product, { weight }) => product * weight, 1));
  const clusters = counted.map(({ item }) => item);
  const options = { units, weights, ...scale };
  return {
    ...krippendorffAlpha(options),
    interval: alphaInterval({ ...options, clusters, draws, words: bootstrapWords(seed) }),
    percent: percentOf(units, weights),
  };
}

function groupsOf(units: SharedUnits, scale: Scale, measuring: Measuring) {
  const names = new Set(
    units.flatMap(({ said }) => said).flatMap(({ group }) => (group === undefined ? [] : [group])),
  );
  const found = [...names].sort().flatMap((name) => {
    const own = units.map((unit) => ({ ...unit, said: unit.said.filter(({ group }) => group === name) }));
    return isShared(own) ? [[name, measured(own, scale, measuring)] as const] : [];
  });
  return found.length === 0 ? {} : { byGroup: Object.fromEntries(found) };
}

interface Units {
  readonly level: Level;
  /** By what was judged: the values it got. */
  readonly values: Map<string, SharedUnit & { readonly said: Said[] }>;
  readonly taus: number[];
}

async function unitsOf({ reading, project, annotators }: MeasureAgreement): Promise<Map<string, Units>> {
  const gathered = new Gathered(await declaredGroups(reading, project), await openItems(reading, project));
  for await (const chunk of readJudgements(reading, { project, late: true })) {
    const items = await readItems(
      reading,
      project,
      chunk.map(({ item }) => item),
    );
    for (const judgement of chunk) {
      const item = items.get(judgement.item);
      if (item === undefined || annotators?.has(judgement.annotator) === false) continue;
      gathered.take(judgement, item);
    }
  }
  return gathered.units;
}

/** How many are still drawn from. */
async function openItems(reading: Database, project: string): Promise<number> {
  const { count } = await reading
    .selectFrom("items")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .where("state", "=", "open")
    .executeTakeFirstOrThrow();
  return Number(count);
}

/**
 * How much a judgement counts for figures over all items, some of which were likelier to be asked for (Farquhar, Gal &
 * Rainforth 2021, "On Statistical Bias In Active Learning"): 1 / (n propensity) while most items wait. The fewer are left,
 * the nearer to 1: once everything was judged, the order in which it was says nothing.
 */
export function drawnWeight(judgement: ReadJudgement, open: number): number {
  const left = Math.min(1, open / Math.max(1, judgement.available - 1));
  return 1 + left * (weightOf(judgement) - 1);
}

type SaidBy = Omit<Said, "value"> & { readonly item: ReadItem };

class Gathered {
  readonly units = new Map<string, Units>();
  private readonly counts = new Map<string, number>();
  private readonly orders = new Map<string, number[][]>();

  constructor(
    private readonly groupOf: ReadonlyMap<string, string>,
    /** Items that are open now. */
    private readonly open: number,
  ) {}

  take(judgement: ReadJudgement, item: ReadItem): void {
    const before = this.counts.get(item.item) ?? 0;
    this.counts.set(item.item, before + 1);
    const imported = isImported(judgement);
    if (!imported && (item.planned < 2 || before >= item.planned)) return;
    const group = this.groupOf.get(judgement.annotator);
    const by = { item, group, imported, weight: drawnWeight(judgement, this.open) };
    for (const value of judgement.values) this.takeValue(value, judgement.shown, by);
  }

  private takeValue(value: JudgementValue, shown: readonly number[], by: SaidBy): void {
    switch (value.kind) {
      case "pair": {
        // Who could not compare has not answered.
        if (value.choice === "cannot_compare") break;
        // By answer, so that sides do not matter. Asked is which one is better: both good and both bad say neither.
        const place = value.choice === "left" ? shown[0] : value.choice === "right" ? shown[1] : undefined;
        this.add("pair", "nominal", "", place === undefined ? 0 : place === 0 ? 1 : -1, by);
        if (value.strength !== undefined) this.add("strength", "ordinal", "", value.strength, by);
        break;
      }
      case "thumb":
        this.add("thumb", "nominal", `${shown[value.answer]}`, value.up ? 1 : 0, by);
        break;
      case "rating":
        this.add(`rating: ${value.axis}`, "ordinal", `${shown[value.answer]}`, value.value, by);
        break;
      case "ranking":
        this.takeRanking(value.tiers, shown, by);
        break;
      default:
    }
  }

  /** `part`: of the item, what was judged. */
  private add(
    of: string,
    level: Level,
    part: string,
    value: number,
    { item, group, imported, weight }: SaidBy,
  ): void {
    const known = this.units.get(of) ?? { level, values: new Map(), taus: [] };
    this.units.set(of, known);
    const key = `${item.item} ${part}`;
    const unit = known.values.get(key) ?? { item: item.number, said: [] };
    known.values.set(key, unit);
    unit.said.push({ value, group, imported, weight });
  }

  /** Every pair that the ranking orders is a unit; orders of one item are compared two by two. */
  private takeRanking(tiers: readonly (readonly number[])[], shown: readonly number[], by: SaidBy): void {
    const ranks = shown.map(() => tiers.length);
    for (const [tier, places] of tiers.entries()) for (const place of places) ranks[shown[place] ?? 0] = tier;
    for (const [a, first] of ranks.entries())
      for (const [b, second] of ranks.entries())
        if (a < b) this.add("ranking", "nominal", `${a} ${b}`, Math.sign(second - first), by);
    const earlier = this.orders.get(by.item.item) ?? [];
    this.orders.set(by.item.item, earlier);
    for (const other of earlier) {
      const { kendall } = rankCorrelationOf(other, ranks);
      if (Number.isFinite(kendall)) this.units.get("ranking")?.taus.push(kendall);
    }
    earlier.push(ranks);
  }
}

/** Of all pairs of values in a unit, those that are equal; units count by their number of values, as alpha does. */
function percentOf(units: readonly (readonly number[])[], weights: readonly number[]): number {
  let [same, all] = [0, 0];
  for (const [number, unit] of units.entries()) {
    const weight = weights[number] ?? 1;
    const counts = new Map<number, number>();
    for (const value of unit) counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const count of counts.values()) same += (weight * count * (count - 1)) / (unit.length - 1);
    all += weight * unit.length;
  }
  return same / all;
}
