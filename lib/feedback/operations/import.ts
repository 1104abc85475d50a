// Takes what was said elsewhere: items, the people or programs who judged them, and their judgements. What is known already
// is not added again, so a file may be imported twice. Must not read files, nor check what is in them: imports/ has.

import type { Item, JudgementValue } from "../judgement.js";
import type { ItemState } from "../states.js";
import type { NewEvent } from "../store/event-log.js";
import type { KnownProject } from "../store/known-project.js";
import type { OperationContext } from "./context.js";
import { newItem } from "./items.js";
import { type ItemMedia, keepMedia } from "./keep-media.js";

export interface ImportedJudgement {
  /** Made of what was said and by whom: the same judgement has the same. */
  readonly judgement: string;
  readonly annotator: string;
  readonly name: string;
  readonly by: "people" | "ai";
  readonly values: readonly JudgementValue[];
  /** Which answers of the item the values' positions stand for. */
  readonly shown: readonly number[];
  readonly activeMs: number;
  readonly judgedAt?: number;
}

export interface ImportedItem {
  readonly item: Item & { readonly externalId: string };
  readonly judgements: readonly ImportedJudgement[];
  /** What is right of it: it becomes a hidden check. Positions as in the item. */
  readonly gold?: readonly JudgementValue[];
}

export interface ImportCounts {
  readonly items: number;
  readonly itemsKnown: number;
  readonly judgements: number;
  readonly aiJudgements: number;
  readonly judgementsKnown: number;
  readonly annotators: number;
  readonly gold: number;
}

/** All or nothing of one part of a file. */
export async function importItems(
  context: OperationContext,
  { items }: { readonly items: readonly ImportedItem[] },
): Promise<ImportCounts> {
  await context.hold();
  const importing = new Importing(await context.knownProject(), await knownOf(context, items));
  for (const one of items) importing.take(one);
  await context.appendAll(importing.events);
  for (const media of importing.media) await keepMedia(context, media);
  return importing.counts;
}

interface KnownItem {
  readonly item: string;
  judged: number;
  readonly slots: number;
  state: ItemState;
  gold: boolean;
}

interface Known {
  readonly items: Map<string, KnownItem>;
  readonly judgements: Set<string>;
  readonly annotators: Set<string>;
}

/** What of a part the project has already, in three queries. */
async function knownOf(
  { writing, project }: OperationContext,
  items: readonly ImportedItem[],
): Promise<Known> {
  const judgements = items.flatMap((one) => one.judgements);
  const externalIds = items.map(({ item }) => item.externalId);
  const rows = await writing
    .selectFrom("items")
    .select(["external_id", "item", "judged", "slots", "state", "gold"])
    .where("project", "=", project)
    .where("external_id", "in", externalIds)
    .execute();
  const ids = judgements.map(({ judgement }) => judgement);
  const said = await writing
    .selectFrom("judgements")
    .select("judgement")
    .where("project", "=", project)
    .where("judgement", "in", ["", ...ids])
    .execute();
  const who = [...new Set(judgements.map(({ annotator }) => annotator))];
  const people = await writing
    .selectFrom("annotators")
    .select("annotator")
    .where("project", "=", project)
    .where("annotator", "in", ["", ...who])
    .execute();
  return {
    items: new Map(
      rows.map(({ external_id, gold, ...row }) => [external_id ?? "", { ...row, gold: gold !== null }]),
    ),
    judgements: new Set(said.map(({ judgement }) => judgement)),
    annotators: new Set(people.map(({ annotator }) => annotator)),
  };
}

class Importing {
  readonly events: NewEvent[] = [];
  readonly media: ItemMedia[] = [];
  readonly counts = {
    ...{ items: 0, itemsKnown: 0, judgements: 0, aiJudgements: 0, judgementsKnown: 0 },
    ...{ annotators: 0, gold: 0 },
  };
  private nextItem: number;
  private nextAnnotator: number;

  constructor(
    private readonly project: KnownProject,
    private readonly known: Known,
  ) {
    this.nextItem = Number(project.item_count);
    this.nextAnnotator = project.annotator_count;
  }

  take(one: ImportedItem): void {
    const item = this.itemOf(one);
    for (const judgement of one.judgements) this.judge(item, judgement);
    if (item.state === "open" && item.judged > 0 && item.judged >= item.slots) {
      item.state = "enough";
      this.add("item.changed", { item: item.item, state: "enough", slots: item.slots });
    }
    if (one.gold === undefined || item.gold) return;
    item.gold = true;
    this.add("gold.set", { item: item.item, right: one.gold });
    this.counts.gold += 1;
  }

  private itemOf({ item: read, judgements }: ImportedItem): KnownItem {
    const known = this.known.items.get(read.externalId);
    if (known !== undefined) {
      this.counts.itemsKnown += 1;
      return known;
    }
    const number = this.nextItem++;
    const item = `item-${number}`;
    const { body, parts } = newItem({ item, number, read, settings: this.project.read, place: 0 });
    if (parts.length > 0) this.media.push({ item, parts });
    const people = judgements.filter(({ by }) => by === "people").length;
    // Nobody is asked again what people have said already.
    const settled = people === 0 ? {} : { slots: people, state: "enough" as const };
    this.add("item.added", { ...body, ...settled });
    this.counts.items += 1;
    const added: KnownItem = { item, judged: 0, slots: body.slots, state: "open", gold: false, ...settled };
    this.known.items.set(read.externalId, added);
    return added;
  }

  private judge(item: KnownItem, said: ImportedJudgement): void {
    const { judgement, annotator, name, by, values, shown, activeMs, judgedAt } = said;
    if (this.known.judgements.has(judgement)) {
      this.counts.judgementsKnown += 1;
      return;
    }
    this.known.judgements.add(judgement);
    if (!this.known.annotators.has(annotator)) {
      this.known.annotators.add(annotator);
      this.add("annotator.added", { annotator, number: this.nextAnnotator++, name });
      this.counts.annotators += 1;
    }
    const takes = by === "people" ? 1 : 0;
    this.add("judgement.imported", {
      ...{ judgement, assignment: judgement, item: item.item, annotator, values, shown, takes, activeMs },
      purpose: by === "people" ? "import" : "ai",
      ...(judgedAt === undefined ? {} : { judgedAt }),
    });
    item.judged += takes;
    this.counts[by === "people" ? "judgements" : "aiJudgements"] += 1;
  }

  private add<Type extends NewEvent["type"]>(type: Type, body: (NewEvent & { type: Type })["body"]): void {
    this.events.push({ type, actor: "import", body } as NewEvent);
  }
}
