// Rows of two clips' segments and which of them is preferred, for reward models of control tasks. Must not write.

import { fail } from "../../errors/index.js";
import { isText, SEGMENT_PART } from "../media/answer-content.js";
import { type Segment, type SegmentRow, segmentRow } from "../media/segment.js";
import type { ReadItem } from "../read-judgements.js";
import type { Database } from "../store/tables.js";
import { saidOfPair } from "./pair-rows.js";
import { type ExportedRow, type OfItem, rowOfColumns } from "./row-parts.js";

export interface SegmentRows extends OfItem {
  readonly reading: Database;
  readonly project: string;
}

/** In the order in which the clips were added, whatever side they stood on; ties are rows of label 0.5. */
export async function* segmentRows(of: SegmentRows): AsyncGenerator<ExportedRow> {
  const said = saidOfPair(of);
  if (said === undefined || !isOfClips(of.item)) return;
  const segments = await segmentsOf(of.reading, of.project, of.item.item);
  // They go with what is redacted, perhaps just now.
  if (segments.length !== 2) return;
  const weight = said.weight === 1 ? {} : { weight: said.weight };
  const columns = { segments, label: said.label, ...weight };
  yield* rowOfColumns(of, said.sources, { columns, answers: of.item.answers });
}

export function isOfClips({ answers }: ReadItem): boolean {
  return answers.length > 0 && answers.every(({ content }) => !isText(content) && content.type === "clip");
}

/** Of an item's clips, in the order in which they were added. */
export async function segmentsOf(
  reading: Database,
  project: string,
  item: string,
): Promise<readonly Segment[]> {
  const rows = await reading
    .selectFrom("media")
    .select("data")
    .where("project", "=", project)
    .where("item", "=", item)
    .where("part", "=", SEGMENT_PART)
    .orderBy("answer")
    .execute();
  return rows.map(({ data }) => JSON.parse(data) as Segment);
}

/** A row as `segments` exports hold it. @throws ATTUNE_DATA naming the field */
export function checkSegmentRow(row: unknown): SegmentRow {
  const read = segmentRow.safeParse(row);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = (issue?.path ?? []).map(String).join(".") || "row";
  throw fail("ATTUNE_DATA", `${field}: ${issue?.message ?? "is no row of segments"}`, { details: { field } });
}
