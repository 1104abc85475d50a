// Passes an item over, with a reason: it is asked of others, later than before but never not at all.
// Must not choose items.

import { fail } from "../../errors/index.js";
import type { SkipReason } from "../judgement.js";
import type { OperationContext } from "./context.js";
import { dropDraft } from "./drafts.js";

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
  await dropDraft(context, lease);
}
