// Items: what is asked of people. Added in batches, closed, given a known answer, given priorities by a model.
// Must not lease them.

import { createHash } from "node:crypto";
import { fail } from "../../errors/index.js";
import { checkJudgement, isOfText } from "../check-judgement.js";
import type { EventBodies } from "../event.js";
import { type Ask, type FeedbackContent, type Item, itemInput, type JudgementValue } from "../judgement.js";
import { type AnswerContent, type ContentInput, contentTypeOf } from "../media/answer-content.js";
import { takeMedia } from "../media/take-media.js";
import type { ProjectSettings } from "../project-settings.js";
import { numbersAt } from "../random-numbers.js";
import type { NewEvent } from "../store/event-log.js";
import { askedItem } from "./asked-item.js";
import type { OperationContext } from "./context.js";
import { type ItemMedia, keepMedia } from "./keep-media.js";

export interface AddedItems {
  /** By place in what was sent. */
  readonly items: readonly { readonly item: string; readonly duplicate: boolean }[];
}

export interface AddItems {
  readonly items: readonly unknown[];
  /** Place of the first one in what was sent, for messages. Default 0. */
  readonly from?: number;
}

/**
 * All or none. Items whose externalId is known are reported, not added: add-items.ts adds many in parts.
 * @throws ATTUNE_DATA, ATTUNE_MEDIA naming the item and field
 */
export async function addItems(
  context: OperationContext,
  { items, from = 0 }: AddItems,
): Promise<AddedItems> {
  const project = await context.knownProject();
  const read = items.map((given, i) => readItem(from + i, given));
  const known = await knownExternalIds(context, read);
  const events: NewEvent[] = [];
  const media: ItemMedia[] = [];
  const results = read.map((one, i) => {
    const { externalId } = one;
    const before = externalId === undefined ? undefined : known.get(externalId);
    if (before !== undefined) return { item: before, duplicate: true };
    const number = Number(project.item_count) + events.length;
    const item = `item-${number}`;
    const { body, parts } = newItem({ item, number, read: one, settings: project.read, place: from + i });
    events.push({ type: "item.added", actor: "trainer", body });
    media.push({ item, parts });
    if (externalId !== undefined) known.set(externalId, item);
    return { item, duplicate: false };
  });
  await context.appendAll(events);
  for (const one of media) await keepMedia(context, one);
  return { items: results };
}

export function readItem(place: number, given: unknown): Item {
  const read = itemInput.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = `items[${place}]${(issue?.path ?? []).map((part) => `.${String(part)}`).join("")}`;
  throw fail("ATTUNE_DATA", `${field}: ${issue?.message ?? "is not an item"}`, { details: { field } });
}

/** Names in one query. */
const AT_ONCE = 500;

/** Items of the project by externalId. */
async function knownExternalIds(
  { writing, project }: OperationContext,
  items: readonly Item[],
): Promise<Map<string, string>> {
  const ids = [...new Set(items.flatMap(({ externalId }) => externalId ?? []))];
  const known = new Map<string, string>();
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const rows = await writing
      .selectFrom("items")
      .select(["item", "external_id"])
      .where("project", "=", project)
      .where("external_id", "in", ids.slice(from, from + AT_ONCE))
      .execute();
    for (const { item, external_id } of rows) known.set(external_id ?? "", item);
  }
  return known;
}

export interface NewItem {
  readonly item: string;
  readonly number: number;
  readonly read: Item;
  readonly settings: ProjectSettings;
  readonly place: number;
}

/** An item's event, and what lies beside it. @throws ATTUNE_DATA, ATTUNE_MEDIA */
export function newItem({ item, number, read, settings, place }: NewItem) {
  const asks = read.asks ?? settings.asks;
  checkAsks(asks, read, place);
  const promptHash = promptHashOf(read.prompt);
  const { answers, parts } = takeMedia(read.answers, `items[${place}].answers`);
  const body: EventBodies["item.added"] = {
    ...{ item, number, asks, promptHash },
    ...(read.externalId === undefined ? {} : { externalId: read.externalId }),
    prompt: read.prompt,
    answers,
    ...(read.metadata === undefined ? {} : { metadata: read.metadata }),
    split: read.split ?? splitOf(promptHash),
    priority: read.priority,
    unsafe: read.unsafe,
    slots: slotsOf(number, settings),
  };
  return { body, parts };
}

/** @throws ATTUNE_DATA where what is asked does not fit the answers */
export function checkAsks(asks: readonly Ask[], { answers }: Item, place: number): void {
  const problem = problemOfAsks(asks, answers);
  if (problem === undefined) return;
  const field = `items[${place}].answers`;
  throw fail("ATTUNE_DATA", `${field}: expected ${problem}.`, { details: { field } });
}

/** A pair needs two answers, a ranking two and more; what is written needs text. Undefined: nothing is wrong. */
export function problemOfAsks(
  asks: readonly Ask[],
  answers: readonly { readonly content: AnswerContent | ContentInput }[],
): string | undefined {
  const count = answers.length;
  const other = answers.map(({ content }) => contentTypeOf(content)).find((type) => type !== "text");
  for (const { kind } of asks) {
    if (isOfText(kind) && other !== undefined) return `text for ${kind} but received ${other}`;
    const fits = kind === "pair" ? count === 2 : kind === "ranking" ? count > 1 : true;
    if (fits) continue;
    const wanted = kind === "pair" ? "two answers" : "two answers or more";
    return `${wanted} for a ${kind} but received ${count}`;
  }
  return undefined;
}

/** What items of the same prompt share: a text is the same as a conversation of its one message, as in rows. */
export function promptHashOf(prompt: FeedbackContent): string {
  const [only, ...more] = typeof prompt === "string" ? [] : prompt;
  const same = only?.role === "user" && more.length === 0 ? only.content : prompt;
  return createHash("sha256").update(JSON.stringify(same)).digest("hex").slice(0, 16);
}

/** Of every ten prompts eight train, one validates and one tests; what the prompt is decides. */
export function splitOf(promptHash: string): "train" | "valid" | "test" {
  const share = Number.parseInt(promptHash.slice(0, 8), 16) / 2 ** 32;
  return share < 0.8 ? "train" : share < 0.9 ? "valid" : "test";
}

/** Judgements that an item is to have before anybody disagrees: more of a random share. */
export function slotsOf(number: number, { overlap, seed }: ProjectSettings): number {
  const draw = numbersAt({ seed, stream: "select", row: number, column: 2 ** 31 });
  return draw() < overlap.share ? Math.max(overlap.least, overlap.shared) : overlap.least;
}

export async function closeItem(
  context: OperationContext,
  { item }: { readonly item: string },
): Promise<void> {
  await context.open();
  const { state } = await context.knownItem(item);
  if (state !== "closed") await context.append("item.closed", "owner", { item });
}

export interface SetGold {
  readonly item: string;
  /** What is right, with positions in the order in which the answers were added; null: no longer gold. */
  readonly right: readonly JudgementValue[] | null;
}

export async function setGold(context: OperationContext, { item, right }: SetGold): Promise<void> {
  await context.open();
  const row = await context.knownItem(item);
  if (right !== null) checkJudgement(right, askedItem(row));
  await context.append("gold.set", "owner", { item, right });
}

/** @throws ATTUNE_DATA for a priority that is no number; items that are not there are passed over */
export async function prioritise(
  context: OperationContext,
  { priorities }: { readonly priorities: readonly (readonly [item: string, priority: number])[] },
): Promise<void> {
  const bad = priorities.find(([, priority]) => !Number.isFinite(priority));
  if (bad !== undefined)
    throw fail("ATTUNE_DATA", `Expected a finite priority of ${bad[0]} but received ${bad[1]}.`);
  const open = await context.open();
  const known = priorities.filter(([item]) => open.get(item) !== undefined);
  if (known.length > 0) await context.append("items.prioritised", "service", { priorities: known });
}
