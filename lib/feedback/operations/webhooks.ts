// Owners' addresses that are told what happens: added, removed, and how far each has been told. No event says any of it:
// it belongs to this installation. Must not send anything.

import { fail } from "../../errors/index.js";
import type { EventType } from "../event.js";
import { checkWebhookUrl } from "../webhooks/allowed-address.js";
import { makeWebhookSecret } from "../webhooks/signature.js";
import type { OperationContext } from "./context.js";

/** Each is asked after every event. */
const MOST_OF_A_PROJECT = 100;

export interface AddWebhook {
  readonly url: string;
  /** None: all. */
  readonly types: readonly EventType[];
  readonly texts: boolean;
  /** Events behind this one; default the last: what happens from now on. */
  readonly after?: number;
  readonly allowPrivate: boolean;
}

/** The secret is answered here and never again. @throws ATTUNE_OPTION for an address that may not be called */
export async function addWebhook(
  context: OperationContext,
  { url, types, texts, after, allowPrivate }: AddWebhook,
): Promise<{ readonly id: string; readonly secret: string }> {
  checkWebhookUrl(url, allowPrivate);
  const { project, writing } = context;
  await context.knownProject();
  const { count } = await writing
    .selectFrom("webhooks")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  if (Number(count) >= MOST_OF_A_PROJECT)
    throw fail("ATTUNE_OPTION", `Expected at most ${MOST_OF_A_PROJECT} webhooks of a project. Remove one.`);
  const place = await writing
    .selectFrom("sequences")
    .select("seq")
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  const last = Number(place.seq);
  const row = {
    webhook: context.id(),
    project,
    url,
    types: JSON.stringify(types),
    texts: texts ? 1 : 0,
    secret: makeWebhookSecret(),
    created: context.now,
    seq: Math.min(after ?? last, last),
    ...{ attempts: 0, failing_since: null, due: 0, reason: null },
  };
  await writing.insertInto("webhooks").values(row).execute();
  return { id: row.webhook, secret: row.secret };
}

export async function removeWebhook(
  context: OperationContext,
  { webhook }: { readonly webhook: string },
): Promise<void> {
  const { numDeletedRows } = await context.writing
    .deleteFrom("webhooks")
    .where("project", "=", context.project)
    .where("webhook", "=", webhook)
    .executeTakeFirst();
  if (Number(numDeletedRows) === 0) throw unknownWebhook(webhook);
  await context.writing.deleteFrom("dead_deliveries").where("webhook", "=", webhook).execute();
}

export interface ReplayWebhook {
  readonly webhook: string;
  /** Of the dead ones; none: all. */
  readonly seqs?: readonly number[];
}

/** Dead deliveries are sent again, and an address that is waited for is tried at once. */
export async function replayWebhook(
  { writing, project }: OperationContext,
  { webhook, seqs }: ReplayWebhook,
): Promise<{ readonly replayed: number }> {
  const known = await writing
    .updateTable("webhooks")
    .set({ due: 0 })
    .where("project", "=", project)
    .where("webhook", "=", webhook)
    .returning("webhook")
    .executeTakeFirst();
  if (known === undefined) throw unknownWebhook(webhook);
  let query = writing.updateTable("dead_deliveries").set({ again: 1 }).where("webhook", "=", webhook);
  if (seqs !== undefined) query = query.where("seq", "in", seqs);
  const { numUpdatedRows } = await query.executeTakeFirst();
  return { replayed: Number(numUpdatedRows) };
}

export function unknownWebhook(webhook: string) {
  return fail("ATTUNE_NOT_FOUND", `Expected a webhook of the project but there is no "${webhook}".`);
}
