// How fast judgements come, hour by hour or day by day, and how many the open items still want. Must not write.

import { sql } from "kysely";
import type { Database } from "./store/tables.js";

/** All lengths of buckets. */
export const rateSteps = ["hour", "day"] as const;
/** How long one bucket of a rate is. */
export type RateStep = (typeof rateSteps)[number];

export interface JudgementRate {
  readonly reading: Database;
  readonly project: string;
  readonly by: RateStep;
  /** Steps back from now; the last one is not over yet. */
  readonly last: number;
  readonly now: number;
}

export interface RateBucket {
  /** Milliseconds since 1970; days are those of UTC. */
  readonly from: number;
  readonly judgements: number;
  /** Of them, those that took an item further: no hidden checks, none that came too late. */
  readonly counted: number;
}

/** Judgements hour by hour or day by day. */
export interface Rate {
  readonly by: RateStep;
  readonly now: number;
  /** The oldest first, without gaps. */
  readonly buckets: readonly RateBucket[];
  /** Judgements that open items still want. */
  readonly wanted: number;
}

const milliseconds: Readonly<Record<RateStep, number>> = { hour: 3_600_000, day: 86_400_000 };

/** Judgements step by step up to now, and how many are still wanted. */
export async function judgementRate({ reading, project, by, last, now }: JudgementRate): Promise<Rate> {
  const step = milliseconds[by];
  const newest = Math.floor(now / step);
  const oldest = newest - last + 1;
  // Whole numbers, so that both databases cut off what is left over.
  const bucket = sql<number>`created / ${sql.lit(step)}`;
  const rows = await reading
    .selectFrom("judgements")
    .select((e) => [
      bucket.as("bucket"),
      e.fn.countAll<number>().as("judgements"),
      sql<number>`sum(case when purpose = 'work' and counts = 1 then 1 else 0 end)`.as("counted"),
    ])
    .where("project", "=", project)
    .where("withdrawn", "=", 0)
    .where("created", ">=", oldest * step)
    .groupBy(bucket)
    .execute();
  const found = new Map(rows.map((row) => [Number(row.bucket), row]));
  const buckets = Array.from({ length: last }, (_, i) => {
    const row = found.get(oldest + i);
    return {
      from: (oldest + i) * step,
      judgements: Number(row?.judgements ?? 0),
      counted: Number(row?.counted ?? 0),
    };
  });
  return { by, now, buckets, wanted: await wantedOf(reading, project) };
}

async function wantedOf(reading: Database, project: string): Promise<number> {
  const { wanted } = await reading
    .selectFrom("items")
    .select(sql<number | null>`sum(slots - judged)`.as("wanted"))
    .where("project", "=", project)
    .where("state", "=", "open")
    .executeTakeFirstOrThrow();
  return Math.max(0, Number(wanted ?? 0));
}
