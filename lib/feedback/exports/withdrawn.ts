// Judgements that were taken back or redacted behind an event: a trainer drops the rows whose `source` names one.
// Must not write.

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
      .select(["seq", "body"])
      .where("project", "=", project)
      .where("seq", ">", after)
      .where("type", "=", "judgement.withdrawn")
      .orderBy("seq")
      .limit(CHUNK)
      .execute();
    for (const { seq, body } of rows) {
      const read = JSON.parse(body) as FeedbackEvent<"judgement.withdrawn">["body"];
      const { judgement, exported, supersededBy } = read;
      after = Number(seq);
      yield { seq: after, judgement, exported, ...(supersededBy === undefined ? {} : { supersededBy }) };
    }
    if (rows.length < CHUNK) return;
  }
}
