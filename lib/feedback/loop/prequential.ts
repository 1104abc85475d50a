// Prequential accuracy (Dawid 1984): how votes on the random share were predicted before anything was trained on them, by
// what predicted. Withdrawn judgements count no more. Must not predict.

import { sql } from "kysely";
import { type Interval, wilsonInterval } from "../../preference/index.js";
import type { Database } from "../store/tables.js";
import type { PredictedVotes, Prequential } from "./loop-status.js";

/** Sums over the votes that one version predicted. */
export interface PredictionSums {
  readonly version: string;
  readonly votes: number;
  /** Votes that the higher probability was given; halves for 0.5. */
  readonly right: number;
  readonly loss: number;
  readonly from: number;
  readonly until: number;
  /** Of the log: the first of the votes. */
  readonly first: number;
}

const rightVotes = sql<number>`sum(case when p.probability > 0.5 then 1.0 when p.probability = 0.5 then 0.5 else 0.0 end)`;

/** Of all versions, or of one, in the order in which they came. */
export async function predictionSums(
  reading: Database,
  project: string,
  version?: string,
): Promise<readonly PredictionSums[]> {
  let query = reading
    .selectFrom("predictions as p")
    .innerJoin("judgements as j", (join) =>
      join.onRef("j.project", "=", "p.project").onRef("j.judgement", "=", "p.judgement"),
    )
    .select((e) => [
      "p.version",
      e.fn.countAll<number>().as("votes"),
      rightVotes.as("right_votes"),
      e.fn.sum<number>("p.loss").as("loss"),
      e.fn.min<number>("j.created").as("from_time"),
      e.fn.max<number>("j.created").as("until_time"),
      e.fn.min<number>("j.seq").as("first_seq"),
    ])
    .where("p.project", "=", project)
    .where("j.withdrawn", "=", 0)
    .groupBy("p.version");
  if (version !== undefined) query = query.where("p.version", "=", version);
  const rows = await query.execute();
  return rows
    .map((row) => ({
      version: row.version,
      votes: Number(row.votes),
      right: Number(row.right_votes),
      loss: Number(row.loss),
      from: Number(row.from_time),
      until: Number(row.until_time),
      first: Number(row.first_seq),
    }))
    .sort((a, b) => a.first - b.first);
}

/** Votes of one declared group of annotators, by all that predicted: what is right for all together may be wrong for a few. */
export interface PredictedGroup {
  readonly group: string;
  readonly annotators: number;
  readonly votes: number;
  readonly accuracy: number;
  /** 95%, Wilson's. */
  readonly interval: Interval;
  /** Mean of -log P(what was said), nats. */
  readonly loss: number;
}

/** By name; groups of whom no vote was predicted are left out. */
export async function predictedByGroup(
  reading: Database,
  project: string,
): Promise<readonly PredictedGroup[]> {
  const rows = await reading
    .selectFrom("predictions as p")
    .innerJoin("judgements as j", (join) =>
      join.onRef("j.project", "=", "p.project").onRef("j.judgement", "=", "p.judgement"),
    )
    .innerJoin("annotators as a", (join) =>
      join.onRef("a.project", "=", "j.project").onRef("a.annotator", "=", "j.annotator"),
    )
    .select((e) => [
      "a.declared_group",
      e.fn.count<number>("a.annotator").distinct().as("annotators"),
      e.fn.countAll<number>().as("votes"),
      rightVotes.as("right_votes"),
      e.fn.sum<number>("p.loss").as("loss"),
    ])
    .where("p.project", "=", project)
    .where("j.withdrawn", "=", 0)
    .where("a.declared_group", "is not", null)
    .groupBy("a.declared_group")
    .execute();
  return rows
    .map((row): PredictedGroup => {
      const [votes, right] = [Number(row.votes), Number(row.right_votes)];
      const interval = wilsonInterval({ successes: right, count: votes });
      const accuracy = right / votes;
      return {
        ...{ group: row.declared_group ?? "", annotators: Number(row.annotators), votes, accuracy, interval },
        loss: Number(row.loss) / votes,
      };
    })
    .sort((a, b) => (a.group < b.group ? -1 : 1));
}

/** `now`: what predicts at present. */
export function prequentialOf(sums: readonly PredictionSums[], now: string | undefined): Prequential {
  const versions = sums.map(figureOf);
  const newest = versions.find(({ version }) => version === now) ?? null;
  if (sums.length === 0) return { all: null, newest, versions };
  const total = (key: "votes" | "right" | "loss") => sums.reduce((sum, one) => sum + one[key], 0);
  const all = figureOf({
    version: "all",
    votes: total("votes"),
    right: total("right"),
    loss: total("loss"),
    from: Math.min(...sums.map(({ from }) => from)),
    until: Math.max(...sums.map(({ until }) => until)),
    first: 0,
  });
  return { all, newest, versions };
}

function figureOf({ version, votes, right, loss, from, until }: PredictionSums): PredictedVotes {
  const interval = wilsonInterval({ successes: right, count: votes });
  return { version, votes, accuracy: right / votes, interval, loss: loss / votes, from, until };
}
