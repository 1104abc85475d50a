// Takes what a product's own users said of its answers: item, person and judgement at once. The same again changes nothing; who
// says something else instead replaces what they said. Nobody was asked, so nothing was drawn and no side is known.

import { createHash } from "node:crypto";
import { fail } from "../../errors/index.js";
import { checkJudgement } from "../check-judgement.js";
import { type Ask, type ItemInput, itemInput, type JudgementValue } from "../judgement.js";
import type { ItemsTable } from "../store/tables.js";
import { askedItem } from "./asked-item.js";
import type { OperationContext } from "./context.js";
import { itemBody } from "./items.js";
import { wasExported } from "./record-export.js";

/** What a user of a product said of its answers. */
export interface Capture {
  /** Of the product: who said it. The store keeps a hash, so that it holds no names. */
  readonly user: string;
  /** Of the product: the answer, or the answers, that it is said of. Default: a hash of prompt and answers. */
  readonly id?: string;
  readonly prompt: ItemInput["prompt"];
  readonly answers: ItemInput["answers"];
  /** With positions as in `answers`. */
  readonly value: JudgementValue;
}

/** What a captured reaction became. */
export interface Captured {
  readonly item: string;
  readonly judgement: string;
  /** False: the same had been said before. */
  readonly isNew: boolean;
}

/** The actor of its events: what tells captured judgements from imported ones. */
export const CAPTURE = "capture";

/** @throws ATTUNE_DATA for what is no item, ATTUNE_JUDGEMENT for what is no answer to it */
export async function capture(context: OperationContext, given: Capture): Promise<Captured> {
  await context.hold();
  const { value } = given;
  const item = await itemOf(context, given);
  checkJudgement([value], askedItem(item));
  const annotator = `user-${hashOf(given.user).slice(0, 16)}`;
  await addUser(context, annotator);
  const before = await saidBefore(context, item.item, annotator, value);
  const values = JSON.stringify([value]);
  if (before?.given === values) return { item: item.item, judgement: before.judgement, isNew: false };
  const judgement = context.id();
  if (before !== undefined)
    await context.append("judgement.withdrawn", CAPTURE, {
      judgement: before.judgement,
      assignment: before.assignment,
      item: item.item,
      takes: -1,
      exported: await wasExported(context, before.judgement),
      supersededBy: judgement,
    });
  await context.append("judgement.imported", CAPTURE, {
    ...{ judgement, assignment: judgement, item: item.item, annotator },
    purpose: "import",
    values: [value],
    shown: given.answers.map((_, place) => place),
    takes: 1,
    activeMs: 0,
  });
  return { item: item.item, judgement, isNew: true };
}

async function itemOf(context: OperationContext, given: Capture): Promise<ItemsTable> {
  const externalId = `${CAPTURE}:${given.id ?? hashOf([given.prompt, given.answers]).slice(0, 32)}`;
  const ask = askOf(given.value);
  const known = await context.writing
    .selectFrom("items")
    .selectAll()
    .where("project", "=", context.project)
    .where("external_id", "=", externalId)
    .executeTakeFirst();
  if (known !== undefined) {
    checkSame(known, given);
    return { ...known, asks: JSON.stringify([ask]) };
  }
  const read = itemInput.safeParse({ prompt: given.prompt, answers: given.answers, externalId, asks: [ask] });
  if (!read.success) {
    const [issue] = read.error.issues;
    const field = (issue?.path ?? []).map(String).join(".");
    throw fail("ATTUNE_DATA", `${field}: ${issue?.message ?? "is not allowed"}`, { details: { field } });
  }
  const project = await context.knownProject();
  const number = Number(project.item_count);
  const item = `item-${number}`;
  const body = itemBody({ item, number, read: read.data, settings: project.read, place: 0 });
  // Nobody is asked of it: who used the product has answered.
  await context.append("item.added", CAPTURE, { ...body, slots: 1, state: "enough" });
  return context.knownItem(item);
}

/** An id that means something else today would mix two answers' judgements. */
function checkSame({ prompt, answers }: ItemsTable, given: Capture): void {
  const contents = (JSON.parse(answers) as { content: unknown }[]).map(({ content }) => content);
  const same =
    prompt === JSON.stringify(given.prompt) &&
    JSON.stringify(contents) === JSON.stringify(given.answers.map(({ content }) => content));
  if (!same)
    throw fail(
      "ATTUNE_CONFLICT",
      `Expected what "${given.id}" stood for before but prompt or answers are others.`,
      {
        details: { field: "id" },
      },
    );
}

/** What the product's page asked, as it seems. */
function askOf(value: JudgementValue): Ask {
  switch (value.kind) {
    case "pair":
      return { kind: "pair", strength: value.strength !== undefined };
    case "ranking":
      return { kind: "ranking", top: Math.max(1, value.tiers.flat().length) };
    case "edit":
    case "comment":
      return { kind: value.kind, required: true };
    case "thumb":
      return { kind: "thumb" };
    default:
      throw fail(
        "ATTUNE_JUDGEMENT",
        `Expected thumb, pair, ranking, edit or comment but received ${value.kind}.`,
        {
          details: { field: "value.kind" },
        },
      );
  }
}

async function addUser(context: OperationContext, annotator: string): Promise<void> {
  const known = await context.writing
    .selectFrom("annotators")
    .select("annotator")
    .where("project", "=", context.project)
    .where("annotator", "=", annotator)
    .executeTakeFirst();
  if (known !== undefined) return;
  const { annotator_count: number } = await context.knownProject();
  await context.append("annotator.added", CAPTURE, { annotator, number, name: "user of the product" });
}

/** This user's judgement of the same kind, of the same answer. */
async function saidBefore(context: OperationContext, item: string, annotator: string, value: JudgementValue) {
  const rows = await context.writing
    .selectFrom("judgements")
    .select(["judgement", "assignment", "given"])
    .where("project", "=", context.project)
    .where("item", "=", item)
    .where("annotator", "=", annotator)
    .where("withdrawn", "=", 0)
    .execute();
  const place = (one: JudgementValue | undefined) =>
    one === undefined ? "" : `${one.kind} ${"answer" in one ? one.answer : ""}`;
  return rows.find(({ given }) => place((JSON.parse(given) as JudgementValue[])[0]) === place(value));
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
