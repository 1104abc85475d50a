// What a person has filled in of an item that they have before them: it survives a reload, and is gone when they are done.
// Must not know what is in it.

import { fail } from "../../errors/index.js";
import { refuseRedacted } from "./asked-item.js";
import type { OperationContext } from "./context.js";

export interface Draft {
  readonly lease: string;
  readonly annotator: string;
  /** JSON as the page wants it back; null: none any more. */
  readonly body: unknown;
}

/** @throws ATTUNE_LEASE for a lease that waits for no answer, ATTUNE_NOT_FOUND */
export async function saveDraft(context: OperationContext, { lease, annotator, body }: Draft): Promise<void> {
  // Nobody answers or redacts it meanwhile.
  await context.hold();
  const { state, item } = await context.knownAssignment(lease, annotator);
  if (body === null) return dropDraft(context, lease);
  if (state !== "leased" && state !== "expired")
    throw fail("ATTUNE_LEASE", `Expected a lease that waits for an answer but this one is ${state}.`);
  refuseRedacted(await context.knownItem(item));
  const { writing, project, now } = context;
  const text = JSON.stringify(body);
  await writing
    .insertInto("drafts")
    .values({ project, assignment: lease, body: text, time: now })
    .onConflict((conflict) =>
      conflict.columns(["project", "assignment"]).doUpdateSet({ body: text, time: now }),
    )
    .execute();
}

export async function dropDraft({ writing, project }: OperationContext, assignment: string): Promise<void> {
  await writing
    .deleteFrom("drafts")
    .where("project", "=", project)
    .where("assignment", "=", assignment)
    .execute();
}
