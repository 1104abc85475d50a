// Judgements whose rows are void behind an event: taken back, redacted, or of an item that has become a hidden check. A
// trainer drops the rows whose `source` names one. Must not write.

import type { FeedbackEvent } from "../event.js";
import type { Database } from "../store/tables.js";

/** A judgement that was taken back: rows whose `source` names it are void. */
export interface WithdrawnJudgement {
  readonly seq: number;
  readonly judgement: string;
  /** It had been given out. */
  readonly exported: boolean;
  /** What the person says instead. */
  readonly supersededBy?: string;
}

export interface WithdrawnSince {
  readonly project: string;
  /** Events behind this one. Default 0. */
  readonly since?: number;
}

const CHUNK = 1_000;

/** In the order in which they were taken back. */
export async function* withdrawnJudgements(
  reading: Database,
  { project, since = 0 }: WithdrawnSince,
): AsyncGenerator<WithdrawnJudgement> {
  for (let after = since; ; ) {
    const rows = await reading
      .selectFrom("events")
      .select(["seq", "type", "body"])
      .where("project", "=", project)
      .where("seq", ">", after)
      .where("type", "in", ["judgement.withdrawn", "gold.set"])
      .orderBy("seq")
      .limit(CHUNK)
      .execute();
    for (const { seq, type, body } of rows) {
      after = Number(seq);
      const read = JSON.parse(body) as unknown;
      if (type === "gold.set") yield* ofGold(reading, project, { seq: after, ...(read as GoldSet) });
      else yield withdrawnBy(after, read as Withdrawal);
    }
    if (rows.length < CHUNK) return;
  }
}

type Withdrawal = FeedbackEvent<"judgement.withdrawn">["body"];
type GoldSet = FeedbackEvent<"gold.set">["body"];

function withdrawnBy(seq: number, { judgement, exported, supersededBy }: Withdrawal): WithdrawnJudgement {
  return { seq, judgement, exported, ...(supersededBy === undefined ? {} : { supersededBy }) };
}

/** Those of the item that are in somebody's rows, while it is a hidden check. */
async function* ofGold(
  reading: Database,
  project: string,
  { seq, item, right }: GoldSet & { readonly seq: number },
): AsyncGenerator<WithdrawnJudgement> {
  if (right === null) return;
  const rows = await reading
    .selectFrom("judgements as j")
    .innerJoin("exports as x", (join) =>
      join.onRef("x.project", "=", "j.project").onRef("x.judgement", "=", "j.judgement"),
    )
    .innerJoin("items as i", (join) =>
      join.onRef("i.project", "=", "j.project").onRef("i.item", "=", "j.item"),
    )
    .select("j.judgement")
    .where("j.project", "=", project)
    .where("j.item", "=", item)
    .where("j.withdrawn", "=", 0)
    .where("i.gold", "is not", null)
    .orderBy("j.seq")
    .execute();
  for (const { judgement } of rows) yield { seq, judgement, exported: true };
}
