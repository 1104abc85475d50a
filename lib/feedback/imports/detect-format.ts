// Tells what a file of judgements is of by the columns of a row. Must not check what they hold.

import { detectRowType, listColumns, type RowColumns } from "../../data/index.js";
import { type ImportFormat, importFormats } from "./import-options.js";

/** @throws ATTUNE_DATA_COLUMN for columns of no known format */
export function detectFormat(row: RowColumns): ImportFormat {
  const { columns } = row;
  const isList = (name: string) => Array.isArray(columns[name]);
  if (isList("answers")) return "items";
  if (isList("summaries") && row.has("choice")) return "summarize";
  if (row.has("winner") && row.has("conversation_a")) return "arena";
  if (row.has("fields") && (row.has("responses") || row.has("suggestions"))) return "argilla";
  if (row.has("data") && (isList("annotations") || isList("predictions"))) return "label-studio";
  if (!row.has("prompt") && isTranscript(columns.chosen) && isTranscript(columns.rejected)) return "hh";
  const detected = detectRowType(columns);
  if ("type" in detected) return "rows";
  const found = `columns ${listColumns(columns)}. Name the format if it is one: --format`;
  throw row.bad("ATTUNE_DATA_COLUMN", `columns of one of ${importFormats.join(", ")}`, found);
}

function isTranscript(value: unknown): boolean {
  return typeof value === "string" && /^\s*Human:/.test(value);
}
