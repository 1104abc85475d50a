// Marks judgements that are given out in rows. An installation's own affair: no event tells it. Must not make rows.

import type { OperationContext } from "./context.js";

/** Names of one statement. */
const AT_ONCE = 5_000;

/** Those that were taken back meanwhile: their rows must not leave. */
export async function recordExport(
  context: OperationContext,
  { judgements }: { readonly judgements: readonly string[] },
): Promise<{ readonly withdrawn: readonly string[] }> {
  const { writing, project, now } = context;
  // What is taken back behind this sees the marks.
  await context.hold();
  const withdrawn: string[] = [];
  for (let from = 0; from < judgements.length; from += AT_ONCE) {
    const names = judgements.slice(from, from + AT_ONCE);
    const gone = await writing
      .selectFrom("judgements")
      .select("judgement")
      .where("project", "=", project)
      .where("judgement", "in", names)
      .where("withdrawn", "=", 1)
      .execute();
    withdrawn.push(...gone.map(({ judgement }) => judgement));
    await writing
      .insertInto("exports")
      .values(names.map((judgement) => ({ project, judgement, time: now })))
      .onConflict((conflict) => conflict.columns(["project", "judgement"]).doNothing())
      .execute();
  }
  return { withdrawn };
}

/** Whether its rows may be in somebody's hands. */
export async function wasExported(
  { writing, project }: Pick<OperationContext, "writing" | "project">,
  judgement: string,
): Promise<boolean> {
  const row = await writing
    .selectFrom("exports")
    .select("judgement")
    .where("project", "=", project)
    .where("judgement", "=", judgement)
    .executeTakeFirst();
  return row !== undefined;
}
