// From files to tokenised rows in memory, with the counts of everything that was left out: what a trainer starts with.
// Must not know batches or models.

import { type RowSource, readRows } from "./read-rows.js";
import { createRowCounts, noRowsLeft, type RowCounts } from "./row-counts.js";
import type { RowType } from "./rows.js";
import { type Task, type TokenisedRow, type TokeniseRowsOptions, tokeniseRows } from "./tokenise-rows.js";

export interface LoadRowsOptions extends Omit<TokeniseRowsOptions, "rows" | "counts"> {
  /** JSONL paths (gzipped or not), or the rows themselves. */
  readonly data: RowSource;
  readonly format?: RowType | "auto";
  readonly turnMark?: string;
  /** Bad rows that are counted and passed over; the next one throws. Default 0. */
  readonly skipBadRows?: number;
}

export interface LoadedRows {
  /** In file order. */
  readonly rows: readonly TokenisedRow[];
  readonly counts: RowCounts;
}

/** Row types that a task can use. SFT takes prompt + chosen of a preference row. */
export const acceptedTypes: Readonly<Record<Task, readonly RowType[]>> = {
  sft: ["prompt-completion", "text", "preference"],
  preference: ["preference"],
};

/** Reads and tokenises all rows. Throws ATTUNE_NO_ROWS, with reasons and counts, when none is left. */
export async function loadRows(options: LoadRowsOptions): Promise<LoadedRows> {
  const counts = createRowCounts();
  const source = readRows({ ...options, accept: acceptedTypes[options.task], counts });
  const rows: TokenisedRow[] = [];
  for await (const row of tokeniseRows({ ...options, rows: source, counts })) rows.push(row);
  if (rows.length === 0) throw noRowsLeft(counts);
  return { rows, counts };
}
