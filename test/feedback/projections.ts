// Everything that a store's projections hold, as one text: two stores, or one before and after a rebuild, are the same or not.

import type { FeedbackStore } from "../../lib/feedback/store/store.js";
import { projections } from "../../lib/feedback/store/tables.js";

export async function projectionsOf(store: FeedbackStore): Promise<string> {
  const tables = [];
  for (const table of projections) {
    const rows = await store.reading.selectFrom(table).selectAll().execute();
    tables.push([table, rows.map((row) => JSON.stringify(row)).sort()]);
  }
  return JSON.stringify(tables);
}
