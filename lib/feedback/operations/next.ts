// Gives a person the next item to judge, for a while: a hidden check now and then, else what chooseItem says.
// Two people never hold an item's last slot: slots are counted while nobody else can change the project.

import { sql } from "kysely";
import { fail } from "../../errors/index.js";
import { chooseItem } from "../choose-item.js";
import type { Ask, FeedbackContent } from "../judgement.js";
import { type ShownContent, shownContent } from "../media/answer-content.js";
import type { OpenItems } from "../open-items.js";
import type { ProjectSettings } from "../project-settings.js";
import { numbersAt, shuffled } from "../random-numbers.js";
import type { Purpose } from "../states.js";
import type { KnownProject } from "../store/known-project.js";
import type { AnnotatorsTable } from "../store/tables.js";
import { askedItem } from "./asked-item.js";
import type { OperationContext } from "./context.js";

/** What a person sees: nothing of models, scores, other people or hidden checks. */
export interface Lease {
  readonly lease: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly prompt: FeedbackContent;
  /** As shown; frames are asked for by the lease (media/read-media.ts). */
  readonly answers: readonly ShownContent[];
  readonly asks: readonly Ask[];
  readonly unsafe: boolean;
  readonly guidelines: number;
  /** What was filled in before, as saveDraft took it. */
  readonly draft?: unknown;
}

/** Leases that ran out are ended a few at a time. */
const MOST_EXPIRED = 200;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Null where nothing is open to this person. The lease that one has is given again. */
export async function next(
  context: OperationContext,
  { annotator }: { readonly annotator: string },
): Promise<Lease | null> {
  const project = await context.knownProject();
  const person = await knownAnnotator(context, annotator);
  const open = await context.open();
  await endLeases(context);
  const held = await heldLease(context, annotator);
  if (held !== undefined) return leaseOf(context, held);
  const chosen = await choose({ context, open, project, person });
  if (chosen === undefined) return null;
  const unsafe = open.get(chosen.item)?.unsafe ?? false;
  const assignment = context.id();
  await context.append("assignment.leased", annotator, {
    assignment,
    item: chosen.item,
    annotator,
    purpose: chosen.purpose,
    until: leaseEnd(context, project.read),
    shown: chosen.shown,
    propensity: chosen.propensity,
    available: chosen.available,
    random: chosen.random,
    guidelines: project.guidelines,
    ...(unsafe ? { unsafe } : {}),
  });
  return leaseOf(context, assignment);
}

/** Ten more minutes, or what the project says. @throws ATTUNE_LEASE for one that is over */
export async function renew(
  context: OperationContext,
  { lease, annotator }: { readonly lease: string; readonly annotator: string },
): Promise<{ readonly until: number }> {
  const { read } = await context.knownProject();
  await context.open();
  const { state, until } = await context.knownAssignment(lease, annotator);
  if (state !== "leased" || until < context.now)
    throw fail(
      "ATTUNE_LEASE",
      `Expected an open lease but this one is ${state === "leased" ? "expired" : state}.`,
    );
  const renewed = leaseEnd(context, read);
  await context.append("assignment.renewed", annotator, { assignment: lease, until: renewed });
  return { until: renewed };
}

/** Whole milliseconds: one of the databases keeps nothing else. */
function leaseEnd({ now }: OperationContext, { leaseMinutes }: ProjectSettings): number {
  return now + Math.round(leaseMinutes * MINUTE);
}

async function knownAnnotator(context: OperationContext, annotator: string): Promise<AnnotatorsTable> {
  const row = await context.writing
    .selectFrom("annotators")
    .selectAll()
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .executeTakeFirst();
  if (row !== undefined) return row;
  throw fail("ATTUNE_NOT_FOUND", `Expected an annotator of the project but there is no "${annotator}".`);
}

/** Whoever does not come back leaves the slot to others. */
async function endLeases(context: OperationContext): Promise<void> {
  const over = await context.writing
    .selectFrom("assignments")
    .select(["assignment", "item", "annotator", "purpose"])
    .where("project", "=", context.project)
    .where("state", "=", "leased")
    .where("until", "<", context.now)
    .orderBy("until")
    .limit(MOST_EXPIRED)
    .execute();
  for (const { assignment, item, annotator, purpose } of over) {
    const takes = purpose === "work" ? -1 : 0;
    await context.append("assignment.expired", "service", { assignment, item, annotator, takes });
  }
}

async function heldLease(context: OperationContext, annotator: string): Promise<string | undefined> {
  const row = await context.writing
    .selectFrom("assignments")
    .select("assignment")
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .where("state", "=", "leased")
    .executeTakeFirst();
  return row?.assignment;
}

async function leaseOf(context: OperationContext, assignment: string): Promise<Lease> {
  const row = await context.writing
    .selectFrom("assignments as a")
    .innerJoin("items as i", (join) =>
      join.onRef("i.project", "=", "a.project").onRef("i.item", "=", "a.item"),
    )
    .select(["a.until", "a.shown", "a.guidelines", "i.prompt", "i.answers", "i.asks", "i.unsafe"])
    .where("a.project", "=", context.project)
    .where("a.assignment", "=", assignment)
    .executeTakeFirstOrThrow();
  const draft = await context.writing
    .selectFrom("drafts")
    .select("body")
    .where("project", "=", context.project)
    .where("assignment", "=", assignment)
    .executeTakeFirst();
  const { asks, answers } = askedItem(row, row);
  return {
    lease: assignment,
    until: Number(row.until),
    prompt: JSON.parse(row.prompt) as FeedbackContent,
    answers: answers.map(shownContent),
    asks,
    unsafe: row.unsafe === 1,
    guidelines: row.guidelines,
    ...(draft === undefined ? {} : { draft: JSON.parse(draft.body) as unknown }),
  };
}

interface Choice {
  readonly item: string;
  readonly purpose: Purpose;
  readonly shown: readonly number[];
  readonly propensity: number;
  readonly available: number;
  readonly random: boolean;
}

interface Choosing {
  readonly context: OperationContext;
  readonly open: OpenItems;
  readonly project: KnownProject;
  readonly person: AnnotatorsTable;
}

async function choose(choosing: Choosing): Promise<Choice | undefined> {
  const { open, project, person } = choosing;
  const { seed, gold, repeat, random } = project.read;
  const { annotator, number: row, lease_count: leases } = person;
  const at = { seed, row, column: leases };
  const draw = numbersAt({ ...at, stream: "select" });
  const check = numbersAt({ ...at, stream: "gold" });
  const kind = check();
  const unsafeToo = await mayHaveUnsafe(choosing, kind < gold + repeat);
  if (kind < gold) {
    const known = goldFor(open, { annotator, unsafeToo }, check);
    if (known !== undefined) return hidden(known, "gold", await sidesOf(choosing, known, leases));
  } else if (kind < gold + repeat) {
    const again = await repeatFor(choosing, { unsafeToo }, check);
    if (again !== undefined) return hidden(again.item, "repeat", [...again.shown].reverse());
  }
  const chosen = chooseItem({ open, annotator, random, draw, unsafeToo });
  if (chosen === undefined) return undefined;
  const { item, ...rest } = chosen;
  return { ...rest, item: item.item, purpose: "work", shown: await sidesOf(choosing, item.item, leases) };
}

function hidden(item: string, purpose: Purpose, shown: readonly number[]): Choice {
  return { item, purpose, shown, propensity: 1, available: 1, random: false };
}

/** Whether the person has had fewer unsafe items in the last day than one should. */
async function mayHaveUnsafe(
  { context, open, project, person }: Choosing,
  isCheck: boolean,
): Promise<boolean> {
  // Where there are none nobody has to count; hidden checks may show what nobody is asked any more.
  if (!isCheck && open.unsafe.size === 0) return true;
  const { unsafePerDay } = project.read;
  const had = await context.writing
    .selectFrom("assignments")
    .select("assignment")
    .where("project", "=", context.project)
    .where("annotator", "=", person.annotator)
    // As the index says it, which holds those alone.
    .where("unsafe", "=", sql.lit(1))
    .where("created", ">", context.now - DAY)
    .limit(unsafePerDay)
    .execute();
  return had.length < unsafePerDay;
}

function goldFor(
  open: OpenItems,
  { annotator, unsafeToo }: { readonly annotator: string; readonly unsafeToo: boolean },
  draw: () => number,
): string | undefined {
  const left = [...open.gold].filter(
    ({ seenBy, unsafe }) => seenBy?.has(annotator) !== true && (unsafeToo || !unsafe),
  );
  return left[Math.floor(draw() * left.length)]?.item;
}

/** An item that the person judged long enough ago and was not asked again, and that its owner has not closed. */
async function repeatFor(
  { context, project, person }: Choosing,
  { unsafeToo }: { readonly unsafeToo: boolean },
  draw: () => number,
) {
  const judged = await context.writing
    .selectFrom("judgements as j")
    .innerJoin("assignments as a", (join) =>
      join.onRef("a.project", "=", "j.project").onRef("a.assignment", "=", "j.assignment"),
    )
    .innerJoin("items as i", (join) =>
      join.onRef("i.project", "=", "j.project").onRef("i.item", "=", "j.item"),
    )
    .select(["j.item", "a.shown", "j.purpose", "i.state", "i.unsafe"])
    .where("j.project", "=", context.project)
    .where("j.annotator", "=", person.annotator)
    .where("j.withdrawn", "=", 0)
    .orderBy("j.seq", "desc")
    .limit(10 * project.read.repeatAfter)
    .execute();
  const again = new Set(judged.filter(({ purpose }) => purpose === "repeat").map(({ item }) => item));
  const left = judged
    .slice(project.read.repeatAfter)
    .filter(({ item, purpose }) => purpose === "work" && !again.has(item))
    .filter(({ state, unsafe }) => state !== "closed" && (unsafeToo || unsafe === 0));
  const chosen = left[Math.floor(draw() * left.length)];
  return chosen === undefined
    ? undefined
    : { item: chosen.item, shown: JSON.parse(chosen.shown) as number[] };
}

/** The order of answers: of two, the one that fewer have seen, else drawn; of more, a random one. */
async function sidesOf(
  { context, project, person }: Choosing,
  item: string,
  leases: number,
): Promise<number[]> {
  const { answers } = await context.knownItem(item);
  const count = (JSON.parse(answers) as unknown[]).length;
  const draw = numbersAt({ seed: project.read.seed, stream: "side", row: person.number, column: leases });
  const order = shuffled(count, draw);
  if (count !== 2) return order;
  const shown = await context.writing
    .selectFrom("assignments")
    .select("shown")
    .where("project", "=", context.project)
    .where("item", "=", item)
    .where("purpose", "=", "work")
    .where("state", "in", ["leased", "submitted"])
    .execute();
  const lead = shown.reduce((sum, row) => sum + (row.shown === "[0,1]" ? 1 : -1), 0);
  return lead === 0 ? order : lead > 0 ? [1, 0] : [0, 1];
}
