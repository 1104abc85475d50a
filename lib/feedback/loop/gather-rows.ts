// The rows of one round: new ones, and older ones drawn to go with them. All come from the store anew, so that what was
// withdrawn is gone from the replay as well. Must not train or write.

import type { LoopSettings } from "../../options/index.js";
import { type ConsensusMode, type ExportedRow, type ExportKind, exportRows } from "../export-rows.js";
import { numbersAt, shuffled } from "../random-numbers.js";
import type { Database } from "../store/tables.js";
import type { LoopRow, LoopRows } from "./loop-work.js";

export interface GatherRows {
  readonly reading: Database;
  readonly project: string;
  readonly kinds: readonly ExportKind[];
  readonly consensus?: ConsensusMode | undefined;
  readonly settings: Pick<LoopSettings, "replay" | "restart" | "dropStale" | "seed">;
  readonly maxLag: number;
  /** From 1. */
  readonly round: number;
  /** Judgements behind it are new. */
  readonly trainedSeq: number;
  /** Judgements up to here may be trained on: they were predicted. */
  readonly predictedSeq: number;
}

export interface GatheredRows {
  readonly training: LoopRows;
  readonly validation: readonly LoopRow[];
}

export async function gatherRows(options: GatherRows): Promise<GatheredRows> {
  const { settings, round } = options;
  const { fresh, older, validation, stale } = await sortedRows(options);
  const draw = numbersAt({ seed: settings.seed, stream: "shuffle", row: round, column: 0 });
  const wanted = settings.restart ? older.length : Math.round(settings.replay * fresh.length);
  const replayed = shuffled(older.length, draw)
    .slice(0, wanted)
    .flatMap((place) => older[place] ?? []);
  const together = [...fresh, ...replayed];
  // Mixed: a trainer that takes rows as they come has both in every batch.
  const rows = shuffled(together.length, draw).flatMap((place) => together[place] ?? []);
  return { training: { rows, fresh: fresh.length, replayed: replayed.length, stale }, validation };
}

interface SortedRows {
  readonly fresh: readonly LoopRow[];
  readonly older: readonly LoopRow[];
  readonly validation: readonly LoopRow[];
  /** Rows of training prompts that are, or were left out as, too far behind. */
  readonly stale: number;
}

async function sortedRows(options: GatherRows): Promise<SortedRows> {
  const { reading, project, kinds, consensus, settings, maxLag } = options;
  const rows: ExportedRow[] = [];
  for (const kind of kinds) {
    const how = consensus === undefined ? {} : { consensus };
    for await (const row of exportRows({ reading, project, kind, ...how })) rows.push(row);
  }
  // Behind the rows: what people say while they are read is in some of them, and must be known for new.
  const news = await newsOf(options);
  const lagOf = await lagsOf(reading, project);
  const [fresh, older, validation]: [LoopRow[], LoopRow[], LoopRow[]] = [[], [], []];
  let stale = 0;
  for (const row of rows) {
    const ages = row.source.map((judgement) => news.get(judgement));
    // The test split stays untouched; what nobody has predicted yet waits for the next round.
    if (row.split === "test" || ages.includes("unpredicted")) continue;
    const marked = markedRow(row, lagOf(row), maxLag);
    if (row.split === "valid") {
      validation.push(marked);
      continue;
    }
    if (marked.stale === true) stale += 1;
    if (marked.stale === true && settings.dropStale) continue;
    if (ages.includes("new")) fresh.push(marked);
    else older.push(marked);
  }
  return { fresh, older, validation, stale };
}

function markedRow(row: LoopRow, lag: number | undefined, maxLag: number): LoopRow {
  return lag === undefined ? row : { ...row, lag, stale: lag > maxLag };
}

/** Judgements that no round has seen, by whether they were predicted. */
async function newsOf({ reading, project, trainedSeq, predictedSeq }: GatherRows) {
  const rows = await reading
    .selectFrom("judgements")
    .select(["judgement", "seq"])
    .where("project", "=", project)
    .where("seq", ">", trainedSeq)
    .execute();
  return new Map(
    rows.map(
      ({ judgement, seq }) => [judgement, Number(seq) > predictedSeq ? "unpredicted" : "new"] as const,
    ),
  );
}

/** How many policies are newer than the older of those that made a row's answers. */
async function lagsOf(reading: Database, project: string): Promise<(row: LoopRow) => number | undefined> {
  const numbers = await policyNumbers(reading, project);
  const newest = Math.max(...numbers.values(), 0);
  return ({ policy }) => {
    const named = (Array.isArray(policy) ? policy : [policy]).flatMap(
      (one) => numbers.get(String(one)) ?? [],
    );
    return named.length === 0 ? undefined : newest - Math.min(...named);
  };
}

/** By id, the numbers of all policies that the project knows. */
export async function policyNumbers(
  reading: Database,
  project: string,
): Promise<ReadonlyMap<string, number>> {
  const rows = await reading
    .selectFrom("policies")
    .select(["policy", "number"])
    .where("project", "=", project)
    .execute();
  return new Map(rows.map(({ policy, number }) => [policy, number]));
}
