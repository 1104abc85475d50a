// How far people agree beyond chance, by kind of judgement, with intervals. Items that were drawn to be judged by several
// count, and of each its first judgements alone: those that were asked for because people disagreed would say that they
// disagree more than they do. Must not write.

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
import { slotsOf } from "./operations/items.js";
import { type ProjectSettings, projectSettings } from "./project-settings.js";
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
        ...{ of, level, imported: all.flat().filter((said) => said.imported).length },
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

type Scale = Required<Omit<KrippendorffOptions, "units">>;

interface Said {
  readonly value: number;
  readonly group: string | undefined;
  readonly imported: boolean;
}

type SharedUnits = readonly (readonly Said[])[];

interface Measuring {
  readonly seed: number;
  readonly draws: number;
}

function isShared(units: SharedUnits): boolean {
  return units.some((unit) => unit.length > 1);
}

function measured(units: SharedUnits, scale: Scale, { seed, draws }: Measuring): MeasuredAgreement {
  const values = units.map((unit) => unit.map(({ value }) => value));
  return {
    ...krippendorffAlpha({ units: values, ...scale }),
    interval: alphaInterval({ units: values, ...scale, draws, words: bootstrapWords(seed) }),
    percent: percentOf(values),
  };
}

function groupsOf(units: SharedUnits, scale: Scale, measuring: Measuring) {
  const names = new Set(units.flat().flatMap(({ group }) => (group === undefined ? [] : [group])));
  const found = [...names].sort().flatMap((name) => {
    const own = units.map((unit) => unit.filter(({ group }) => group === name));
    return isShared(own) ? [[name, measured(own, scale, measuring)] as const] : [];
  });
  return found.length === 0 ? {} : { byGroup: Object.fromEntries(found) };
}

interface Units {
  readonly level: Level;
  /** By what was judged: the values it got. */
  readonly values: Map<string, Said[]>;
  readonly taus: number[];
}

async function unitsOf({ reading, project, annotators }: MeasureAgreement): Promise<Map<string, Units>> {
  const row = await reading
    .selectFrom("projects")
    .select("settings")
    .where("project", "=", project)
    .executeTakeFirst();
  const settings = projectSettings.parse(JSON.parse(row?.settings ?? "{}"));
  const gathered = new Gathered(settings, await declaredGroups(reading, project));
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

type SaidBy = Omit<Said, "value">;

class Gathered {
  readonly units = new Map<string, Units>();
  private readonly counts = new Map<string, number>();
  private readonly orders = new Map<string, number[][]>();

  constructor(
    private readonly settings: ProjectSettings,
    private readonly groupOf: ReadonlyMap<string, string>,
  ) {}

  take(judgement: ReadJudgement, item: ReadItem): void {
    const before = this.counts.get(item.item) ?? 0;
    this.counts.set(item.item, before + 1);
    const imported = isImported(judgement);
    const wanted = slotsOf(item.number, this.settings);
    if (!imported && (wanted < 2 || before >= wanted)) return;
    const by = { group: this.groupOf.get(judgement.annotator), imported };
    for (const value of judgement.values) this.takeValue(value, judgement.shown, item.item, by);
  }

  private takeValue(value: JudgementValue, shown: readonly number[], item: string, by: SaidBy): void {
    switch (value.kind) {
      case "pair": {
        // No value: it says nothing of which is better.
        if (value.choice === "cannot_compare") break;
        // By answer, so that sides do not matter; every way not to prefer one is a tie.
        const place = value.choice === "left" ? shown[0] : value.choice === "right" ? shown[1] : undefined;
        this.add("pair", "nominal", item, { value: place === undefined ? 0 : place === 0 ? 1 : -1, ...by });
        if (value.strength !== undefined)
          this.add("strength", "ordinal", item, { value: value.strength, ...by });
        break;
      }
      case "thumb":
        this.add("thumb", "nominal", `${item} ${shown[value.answer]}`, { value: value.up ? 1 : 0, ...by });
        break;
      case "rating":
        this.add(`rating: ${value.axis}`, "ordinal", `${item} ${shown[value.answer]}`, {
          value: value.value,
          ...by,
        });
        break;
      case "ranking":
        this.takeRanking(value.tiers, shown, item, by);
        break;
      default:
    }
  }

  private add(of: string, level: Level, unit: string, said: Said): Units {
    const known = this.units.get(of) ?? { level, values: new Map<string, Said[]>(), taus: [] };
    this.units.set(of, known);
    const values = known.values.get(unit) ?? [];
    known.values.set(unit, values);
    values.push(said);
    return known;
  }

  /** Every pair that the ranking orders is a unit; orders of one item are compared two by two. */
  private takeRanking(
    tiers: readonly (readonly number[])[],
    shown: readonly number[],
    item: string,
    by: SaidBy,
  ): void {
    const ranks = shown.map(() => tiers.length);
    for (const [tier, places] of tiers.entries()) for (const place of places) ranks[shown[place] ?? 0] = tier;
    for (const [a, first] of ranks.entries())
      for (const [b, second] of ranks.entries())
        if (a < b)
          this.add("ranking", "nominal", `${item} ${a} ${b}`, { value: Math.sign(second - first), ...by });
    const earlier = this.orders.get(item) ?? [];
    this.orders.set(item, earlier);
    for (const other of earlier) {
      const { kendall } = rankCorrelationOf(other, ranks);
      if (Number.isFinite(kendall)) this.units.get("ranking")?.taus.push(kendall);
    }
    earlier.push(ranks);
  }
}

/** Of all pairs of values in a unit, those that are equal; units count by their number of values, as alpha does. */
function percentOf(units: readonly (readonly number[])[]): number {
  let [same, all] = [0, 0];
  for (const unit of units) {
    if (unit.length < 2) continue;
    const counts = new Map<number, number>();
    for (const value of unit) counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const count of counts.values()) same += (count * (count - 1)) / (unit.length - 1);
    all += unit.length;
  }
  return same / all;
}
