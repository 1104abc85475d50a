// What people see of their own work: how much they have done, and their last judgements, to look at again or take back.
// Nothing of models, other people or hidden checks. Must not write.

import { fail } from "../errors/index.js";
import type { Ask, FeedbackContent, JudgementValue } from "./judgement.js";
import { askedItem } from "./operations/asked-item.js";
import { projectSettings } from "./project-settings.js";
import type { Database } from "./store/tables.js";

/** How much one has judged, and what may be taken back. */
export interface OwnWork {
  /** Of all time, and of the last 24 hours. */
  readonly judgements: number;
  readonly today: number;
  /** Own judgements that may be taken back or revised, the newest first. */
  readonly last: readonly { readonly judgement: string; readonly created: number }[];
}

/** One's own judgement, with the item as it was shown. */
export interface OwnJudgement {
  readonly judgement: string;
  readonly prompt: FeedbackContent;
  /** As they were shown. */
  readonly answers: readonly FeedbackContent[];
  readonly asks: readonly Ask[];
  readonly values: readonly JudgementValue[];
  readonly unsafe: boolean;
  readonly created: number;
}

interface Own {
  readonly reading: Database;
  readonly project: string;
  readonly annotator: string;
}

const DAY = 86_400_000;

/** Of one annotator; `now` is milliseconds since 1970. */
export async function ownWork({ reading, project, annotator }: Own, now: number): Promise<OwnWork> {
  const own = reading
    .selectFrom("judgements")
    .where("project", "=", project)
    .where("annotator", "=", annotator)
    .where("withdrawn", "=", 0);
  const all = await reading
    .selectFrom("annotators")
    .select("judgement_count")
    .where("project", "=", project)
    .where("annotator", "=", annotator)
    .executeTakeFirst();
  const today = await own
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("created", ">=", now - DAY)
    .executeTakeFirstOrThrow();
  const row = await reading
    .selectFrom("projects")
    .select("settings")
    .where("project", "=", project)
    .executeTakeFirst();
  const { undo } = projectSettings.parse(JSON.parse(row?.settings ?? "{}"));
  const last = await own.select(["judgement", "created"]).orderBy("seq", "desc").limit(undo).execute();
  return {
    judgements: Number(all?.judgement_count ?? 0),
    today: Number(today.count),
    last: last.map(({ judgement, created }) => ({ judgement, created: Number(created) })),
  };
}

/** @throws ATTUNE_NOT_FOUND for what is no judgement of one's own */
export async function ownJudgement(
  { reading, project, annotator }: Own,
  judgement: string,
): Promise<OwnJudgement> {
  const row = await reading
    .selectFrom("judgements as j")
    .innerJoin("assignments as a", (join) =>
      join.onRef("a.project", "=", "j.project").onRef("a.assignment", "=", "j.assignment"),
    )
    .innerJoin("items as i", (join) =>
      join.onRef("i.project", "=", "j.project").onRef("i.item", "=", "j.item"),
    )
    .select(["j.given", "j.created", "a.shown", "i.prompt", "i.answers", "i.asks", "i.unsafe"])
    .where("j.project", "=", project)
    .where("j.judgement", "=", judgement)
    .where("j.annotator", "=", annotator)
    .where("j.withdrawn", "=", 0)
    .executeTakeFirst();
  if (row === undefined)
    throw fail("ATTUNE_NOT_FOUND", `Expected a judgement of your own but there is no "${judgement}".`);
  return {
    judgement,
    prompt: JSON.parse(row.prompt) as FeedbackContent,
    ...askedItem(row, row),
    values: JSON.parse(row.given) as JudgementValue[],
    unsafe: row.unsafe === 1,
    created: Number(row.created),
  };
}

/** The newest version, or the one that is asked for; version 0 is empty. @throws ATTUNE_NOT_FOUND */
export async function guidelinesOf(
  reading: Database,
  project: string,
  version?: number,
): Promise<{ readonly version: number; readonly text: string }> {
  let query = reading
    .selectFrom("guidelines")
    .select(["version", "text"])
    .where("project", "=", project)
    .orderBy("version", "desc")
    .limit(1);
  if (version !== undefined) query = query.where("version", "=", version);
  const row = await query.executeTakeFirst();
  if (row !== undefined) return { version: Number(row.version), text: row.text };
  if (version === undefined || version === 0) return { version: 0, text: "" };
  throw fail("ATTUNE_NOT_FOUND", `Expected a version of the guidelines but there is no ${version}.`);
}

/** The projects of a store, or the one that is named. */
export async function projectNames(
  reading: Database,
  project?: string,
): Promise<readonly { readonly project: string; readonly name: string }[]> {
  let query = reading
    .selectFrom("projects")
    .select(["project", "name"])
    .orderBy("created")
    .orderBy("project");
  if (project !== undefined) query = query.where("project", "=", project);
  return query.execute();
}

/** What an annotator is called in a project; undefined where there is none of the id. */
export async function annotatorName({ reading, project, annotator }: Own): Promise<string | undefined> {
  const row = await reading
    .selectFrom("annotators")
    .select("name")
    .where("project", "=", project)
    .where("annotator", "=", annotator)
    .executeTakeFirst();
  return row?.name;
}
