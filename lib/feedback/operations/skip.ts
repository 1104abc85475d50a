// Passes an item over, with a reason: it is asked of others, later than before but never not at all.
// Must not choose items.

import { fail } from "../../errors/index.js";
import type { SkipReason } from "../judgement.js";
import type { OperationContext } from "./context.js";

export interface Skip {
  readonly lease: string;
  readonly annotator: string;
  readonly reason: SkipReason;
  readonly note?: string;
}

/** Of the priority, each time; the softmax makes it half as likely or so. */
export const SKIP_COST = 0.7;

/** @throws ATTUNE_LEASE for a lease that is not open */
export async function skip(
  context: OperationContext,
  { lease, annotator, reason, note }: Skip,
): Promise<void> {
  await context.open();
  const { state, item, purpose } = await context.knownAssignment(lease, annotator);
  if (state !== "leased") throw fail("ATTUNE_LEASE", `Expected an open lease but this one is ${state}.`);
  const { priority } = await context.knownItem(item);
  await context.append("assignment.skipped", annotator, {
    assignment: lease,
    item,
    annotator,
    reason,
    ...(note === undefined ? {} : { note }),
    takes: purpose === "work" ? -1 : 0,
    priority: priority - SKIP_COST,
  });
}

export interface Draft {
  readonly lease: string;
  readonly annotator: string;
  /** JSON as the page wants it back; null: none any more. */
  readonly body: unknown;
}

/** What a person has filled in so far: it survives a reload. */
export async function saveDraft(context: OperationContext, { lease, annotator, body }: Draft): Promise<void> {
  await context.knownAssignment(lease, annotator);
  const { writing, project, now } = context;
  if (body === null) {
    await writing
      .deleteFrom("drafts")
      .where("project", "=", project)
      .where("assignment", "=", lease)
      .execute();
    return;
  }
  const text = JSON.stringify(body);
  await writing
    .insertInto("drafts")
    .values({ project, assignment: lease, body: text, time: now })
    .onConflict((conflict) =>
      conflict.columns(["project", "assignment"]).doUpdateSet({ body: text, time: now }),
    )
    .execute();
}
