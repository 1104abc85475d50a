// Rows that are given out, each marked before it leaves: a judgement that is taken back later is known to be in somebody's
// rows, and one that was taken back meanwhile does not leave. Must not make rows.

import type { FeedbackStore } from "../store/store.js";
import type { ExportedRow } from "./row-parts.js";

/** Rows that are given out, and the store that remembers it. */
export interface RecordedRows {
  readonly store: FeedbackStore;
  readonly project: string;
  readonly rows: AsyncIterable<ExportedRow>;
}

/** Rows marked together: one write for so many. */
const ROWS_TOGETHER = 1_000;

/** The same rows; their judgements are marked as given out, so that they are named when they are taken back. */
export async function* recordedRows({ store, project, rows }: RecordedRows): AsyncGenerator<ExportedRow> {
  let part: ExportedRow[] = [];
  async function* flush() {
    if (part.length === 0) return;
    const judgements = [...new Set(part.flatMap(({ source }) => source))];
    const { withdrawn } = await store.write(project, "recordExport", { judgements });
    const gone = new Set(withdrawn);
    for (const row of part) if (!row.source.some((judgement) => gone.has(judgement))) yield row;
    part = [];
  }
  for await (const row of rows) {
    part.push(row);
    if (part.length >= ROWS_TOGETHER) yield* flush();
  }
  yield* flush();
}
