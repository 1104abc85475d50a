// What became of deliveries. Must not send anything.

import type { OperationContext } from "./context.js";
import { turnOf } from "./turns.js";

/** The turn of the process that sends. */
export const SENDING = "webhooks";

export type DeliveryOutcome =
  /** Everything up to `seq` was delivered, or is of no interest to the webhook. */
  | { readonly kind: "delivered"; readonly seq: number }
  | {
      readonly kind: "failed";
      readonly attempts: number;
      readonly failingSince: number;
      readonly due: number;
      readonly reason: string;
      /** Events that are given up, in order. */
      readonly dead: readonly number[];
    }
  /** A dead one has arrived after all. */
  | { readonly kind: "replayed"; readonly seq: number }
  /** It has not: whoever wants them again must ask again. */
  | { readonly kind: "replayFailed"; readonly seq: number; readonly reason: string };

export interface RecordDelivery {
  readonly webhook: string;
  /** The process that sent it; undefined where there is but one. */
  readonly sender?: string;
  readonly outcome: DeliveryOutcome;
}

/** False: the webhook is gone or another process sends now, and nothing was written. */
export async function recordDelivery(
  context: OperationContext,
  { webhook, sender, outcome }: RecordDelivery,
): Promise<boolean> {
  if (sender !== undefined && (await turnOf(context, SENDING))?.owner !== sender) return false;
  switch (outcome.kind) {
    case "delivered":
      return changed(context, webhook, {
        ...{ seq: outcome.seq, attempts: 0, failing_since: null, due: 0, reason: null },
      });
    case "failed":
      return recordFailure(context, webhook, outcome);
    default:
      return recordReplay(context, webhook, outcome);
  }
}

interface Change {
  readonly seq?: number;
  readonly attempts: number;
  readonly failing_since: number | null;
  readonly due: number;
  readonly reason: string | null;
}

/** Where it has been told of goes forward alone. */
async function changed({ writing, project }: OperationContext, webhook: string, change: Change) {
  let query = writing
    .updateTable("webhooks")
    .set(change)
    .where("project", "=", project)
    .where("webhook", "=", webhook);
  if (change.seq !== undefined) query = query.where("seq", "<", change.seq);
  return (await query.returning("webhook").executeTakeFirst()) !== undefined;
}

async function recordFailure(
  context: OperationContext,
  webhook: string,
  { attempts, failingSince, due, reason, dead }: DeliveryOutcome & { kind: "failed" },
): Promise<boolean> {
  const last = dead.at(-1);
  const known = await changed(context, webhook, {
    ...(last === undefined ? {} : { seq: last }),
    ...{ attempts, failing_since: failingSince, due, reason },
  });
  if (!known || dead.length === 0) return known;
  await context.writing
    .insertInto("dead_deliveries")
    .values(dead.map((seq) => ({ webhook, seq, attempts, reason, time: context.now, again: 0 })))
    .execute();
  return true;
}

async function recordReplay(
  { writing }: OperationContext,
  webhook: string,
  outcome: DeliveryOutcome & { kind: "replayed" | "replayFailed" },
): Promise<boolean> {
  if (outcome.kind === "replayed") {
    await writing
      .deleteFrom("dead_deliveries")
      .where("webhook", "=", webhook)
      .where("seq", "=", outcome.seq)
      .execute();
    return true;
  }
  await writing
    .updateTable("dead_deliveries")
    .set((e) => ({ reason: outcome.reason, attempts: e("attempts", "+", 1) }))
    .where("webhook", "=", webhook)
    .where("seq", "=", outcome.seq)
    .execute();
  await writing.updateTable("dead_deliveries").set({ again: 0 }).where("webhook", "=", webhook).execute();
  return true;
}
