// Takes a judgement: of a lease, once, also late; and asks one more person where people disagree.
// Must not choose items.

import { fail } from "../../errors/index.js";
import { checkJudgement } from "../check-judgement.js";
import type { Ask, JudgementValue } from "../judgement.js";
import { APART, meaningOf, saySame } from "../meaning.js";
import type { AssignmentsTable, ItemsTable, JudgementsTable } from "../store/tables.js";
import { askedItem, refuseRedacted } from "./asked-item.js";
import type { OperationContext } from "./context.js";
import { dropDraft } from "./drafts.js";
import { wasExported } from "./record-export.js";

export interface Submission {
  readonly lease: string;
  readonly annotator: string;
  readonly values: readonly JudgementValue[];
  /** Time that the person was at it, pauses left out. */
  readonly activeMs: number;
  readonly keysUsed: boolean;
  /** Whoever sends it again with the same key gets the same answer. */
  readonly key: string;
  /** Of everything that was sent. */
  readonly bodyHash: string;
}

/** A judgement that was taken. */
export interface Submitted {
  readonly judgement: string;
  /** False: it came when the slot was gone; it counts for agreement alone. */
  readonly counts: boolean;
}

/**
 * @throws ATTUNE_CONFLICT for a key that came with another body, ATTUNE_LEASE for a lease that was answered or skipped or is
 * somebody else's, ATTUNE_JUDGEMENT for what is no answer
 */
export async function submit(context: OperationContext, submission: Submission): Promise<Submitted> {
  // Of two calls of one key the second waits here and then finds what the first one was answered.
  await context.open();
  const earlier = await replyOf(context, submission);
  if (earlier !== undefined) return earlier;
  const assignment = await context.knownAssignment(submission.lease, submission.annotator);
  if (assignment.state !== "leased" && assignment.state !== "expired")
    throw fail(
      "ATTUNE_LEASE",
      `Expected a lease that waits for an answer but this one is ${assignment.state}.`,
    );
  const item = await context.knownItem(assignment.item);
  refuseRedacted(item);
  checkJudgement(submission.values, askedItem(item, assignment));
  const { counts, takes } = slotOf(item, assignment);
  const judgement = context.id();
  await context.append("judgement.created", submission.annotator, {
    judgement,
    assignment: assignment.assignment,
    item: item.item,
    annotator: submission.annotator,
    purpose: assignment.purpose,
    values: submission.values,
    counts,
    takes,
    activeMs: Math.max(0, Math.round(submission.activeMs)),
    keysUsed: submission.keysUsed,
  });
  if (assignment.purpose === "work") await settle(context, item.item);
  await dropDraft(context, assignment.assignment);
  const reply: Submitted = { judgement, counts };
  await keepReply(context, submission, reply);
  return reply;
}

export interface Revision extends Omit<Submission, "lease"> {
  readonly judgement: string;
}

/** Says something else instead: a new judgement, and the old one is withdrawn. @throws ATTUNE_LEASE where it is too late */
export async function revise(context: OperationContext, revision: Revision): Promise<Submitted> {
  await context.open();
  const earlier = await replyOf(context, revision);
  if (earlier !== undefined) return earlier;
  const old = await ownJudgement(context, revision.judgement, revision.annotator);
  const assignment = await context.knownAssignment(old.assignment, revision.annotator);
  const item = await context.knownItem(old.item);
  if (item.state === "closed") throw closed();
  await refuseOld(context, old);
  checkJudgement(revision.values, askedItem(item, assignment));
  const judgement = context.id();
  const takes = old.purpose === "work" && old.counts === 1 ? 1 : 0;
  await context.append("judgement.withdrawn", revision.annotator, {
    judgement: old.judgement,
    assignment: old.assignment,
    item: old.item,
    takes: -takes,
    exported: await wasExported(context, old.judgement),
    supersededBy: judgement,
  });
  await context.append("judgement.created", revision.annotator, {
    judgement,
    assignment: old.assignment,
    item: old.item,
    annotator: revision.annotator,
    purpose: old.purpose,
    values: revision.values,
    counts: old.counts === 1,
    takes,
    activeMs: Math.max(0, Math.round(revision.activeMs)),
    keysUsed: revision.keysUsed,
    supersedes: old.judgement,
  });
  if (old.purpose === "work") await settle(context, old.item);
  const reply: Submitted = { judgement, counts: old.counts === 1 };
  await keepReply(context, revision, reply);
  return reply;
}

/** Takes back one of the person's last judgements. @throws ATTUNE_LEASE where it is too late */
export async function undo(
  context: OperationContext,
  { judgement, annotator }: { readonly judgement: string; readonly annotator: string },
): Promise<void> {
  await context.open();
  const old = await ownJudgement(context, judgement, annotator);
  const item = await context.knownItem(old.item);
  if (item.state === "closed") throw closed();
  await refuseOld(context, old);
  await context.append("judgement.withdrawn", annotator, {
    judgement,
    assignment: old.assignment,
    item: old.item,
    takes: old.purpose === "work" && old.counts === 1 ? -1 : 0,
    exported: await wasExported(context, judgement),
  });
  if (old.purpose === "work") await settle(context, old.item);
}

/** @throws ATTUNE_LEASE */
async function refuseOld(
  context: OperationContext,
  { annotator, seq }: Pick<JudgementsTable, "annotator" | "seq">,
): Promise<void> {
  const { undo: reach } = (await context.knownProject()).read;
  const newer = await context.writing
    .selectFrom("judgements")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .where("seq", ">", seq)
    .executeTakeFirstOrThrow();
  if (Number(newer.count) >= reach)
    throw fail("ATTUNE_LEASE", `Expected one of your last ${reach} judgements but this one is older.`);
}

function closed() {
  return fail("ATTUNE_LEASE", "Expected an item that is open but its owner has closed it.");
}

async function ownJudgement(context: OperationContext, judgement: string, annotator: string) {
  const row = await context.writing
    .selectFrom("judgements")
    .selectAll()
    .where("project", "=", context.project)
    .where("judgement", "=", judgement)
    .executeTakeFirst();
  if (row === undefined || row.withdrawn === 1)
    throw fail("ATTUNE_NOT_FOUND", `Expected a judgement of the project but there is no "${judgement}".`);
  if (row.annotator !== annotator)
    throw fail("ATTUNE_LEASE", "Expected a judgement of your own but it is somebody else's.");
  return { ...row, seq: Number(row.seq) };
}

/** A lease holds its slot; one that ran out must find the slot free. */
function slotOf({ state, taken, slots }: ItemsTable, assignment: AssignmentsTable) {
  if (assignment.purpose !== "work") return { counts: true, takes: 0 };
  if (assignment.state === "leased") return { counts: true, takes: 0 };
  const free = state !== "closed" && taken < slots;
  return { counts: free, takes: free ? 1 : 0 };
}

/** Enough, one more where people disagree, or disputed. */
export async function settle(context: OperationContext, name: string): Promise<void> {
  const { read } = await context.knownProject();
  const item = await context.knownItem(name);
  if (item.state === "closed") return;
  const full = item.judged >= item.slots;
  const agreed = !full || (await peopleAgree(context, item));
  const state = !full ? "open" : agreed ? "enough" : item.slots < read.overlap.most ? "open" : "disputed";
  const slots = full && state === "open" ? item.slots + 1 : item.slots;
  if (state !== item.state || slots !== item.slots)
    await context.append("item.changed", "service", { item: name, state, slots });
}

/** All who counted say the same of the answers, whatever the sides; one alone agrees, and so does who cannot compare them. */
async function peopleAgree(context: OperationContext, { item, asks }: ItemsTable): Promise<boolean> {
  const rows = await context.writing
    .selectFrom("judgements as j")
    .innerJoin("assignments as a", (join) =>
      join.onRef("a.project", "=", "j.project").onRef("a.assignment", "=", "j.assignment"),
    )
    .select(["j.given", "a.shown"])
    .where("j.project", "=", context.project)
    .where("j.item", "=", item)
    .where("j.withdrawn", "=", 0)
    .where("j.counts", "=", 1)
    .where("j.purpose", "=", "work")
    .execute();
  const said = rows
    .map(({ given, shown }) =>
      meaningOf(JSON.parse(given) as JudgementValue[], JSON.parse(shown) as number[]),
    )
    .filter(({ size }) => size > 0);
  return said.length < 2 || saySame(said, { asks: JSON.parse(asks) as Ask[], share: APART }) !== false;
}

// ---- calls that come again

type Keyed = Pick<Submission, "annotator" | "key" | "bodyHash">;

async function replyOf(context: OperationContext, { annotator, key, bodyHash }: Keyed) {
  const row = await context.writing
    .selectFrom("replies")
    .select(["body_hash", "reply"])
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .where("key", "=", key)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.body_hash === bodyHash) return JSON.parse(row.reply) as Submitted;
  throw fail(
    "ATTUNE_CONFLICT",
    "Expected what was sent with this Idempotency-Key before but the body is another.",
  );
}

async function keepReply(context: OperationContext, { annotator, key, bodyHash }: Keyed, reply: Submitted) {
  await context.writing
    .insertInto("replies")
    .values({
      project: context.project,
      annotator,
      key,
      body_hash: bodyHash,
      reply: JSON.stringify(reply),
      time: context.now,
    })
    .execute();
}
