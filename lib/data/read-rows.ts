// Streams rows from files of every kind or from objects, each checked, with file and line in every error.
// Must not tokenise.

import { type RowSource, rawRows } from "./raw-rows.js";
import { createRowChecker, hasIdenticalSides, type RowRules } from "./row-checker.js";
import { countDropped, createRowCounts, type RowCounts, tolerate } from "./row-counts.js";
import type { Row } from "./rows.js";

export interface ReadRowsOptions extends RowRules {
  readonly data: RowSource;
  /** Bad rows that are counted and passed over; the next one throws. Default 0. */
  readonly skipBadRows?: number;
  /** Filled while reading. */
  readonly counts?: RowCounts;
  readonly signal?: AbortSignal;
}

/**
 * Rows in file order. Pairs with identical sides are dropped and counted. A row of a Parquet file has its number for a
 * line.
 *
 * Throws ATTUNE_FILE, ATTUNE_DATA, ATTUNE_DATA_COLUMN or ATTUNE_DATA_JSON for the first bad row beyond `skipBadRows`,
 * and at once for a file that is missing, empty, broken off or of another format.
 */
export async function* readRows(options: ReadRowsOptions): AsyncGenerator<Row> {
  const { skipBadRows = 0, counts = createRowCounts(), signal } = options;
  const checker = createRowChecker(options);
  for await (const part of rawRows(options.data)) {
    for (const raw of part) {
      signal?.throwIfAborted();
      const index = counts.read++;
      let row: Row;
      try {
        row = checker.check(raw, index);
      } catch (error) {
        tolerate({ error, counts, skipBadRows });
        continue;
      }
      if (hasIdenticalSides(row)) countDropped(counts, "identical");
      else yield row;
    }
  }
}
