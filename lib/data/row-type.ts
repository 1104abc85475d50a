// Tells the type of a row from its columns. Must not check what the columns hold: check-row.ts does.

import { unknownName } from "../errors/index.js";
import type { RowType } from "./rows.js";

/** Column names that give a row its type. */
export const typeColumns = ["text", "prompt", "completion", "chosen", "rejected"] as const;

/** What each type asks for, as messages put it. */
export const typeNames: Readonly<Record<RowType, string>> = {
  text: "text rows (text)",
  "prompt-completion": "prompt-completion rows (prompt, completion)",
  preference: "preference rows (chosen, rejected, and prompt unless the two sides hold it)",
};

export type DetectedType = { readonly type: RowType } | { readonly problem: string };

/** The type that the columns stand for, or why they stand for none. */
export function detectRowType(row: Readonly<Record<string, unknown>>): DetectedType {
  const has = (column: string) => Object.hasOwn(row, column);
  if (has("chosen") || has("rejected")) return { type: "preference" };
  if (has("messages"))
    return { problem: "messages rows, which are not read by this version; write the text out" };
  if (has("completions"))
    return { problem: "rows with several completions, which are not read by this version" };
  if (has("text") && (has("prompt") || has("completion"))) {
    return { problem: "columns of two types (text, and prompt or completion); name one with --format" };
  }
  if (has("completion") && typeof row.label === "boolean") {
    return { problem: "unpaired rows (prompt, completion, label), which this command does not train on" };
  }
  if (has("completion")) return { type: "prompt-completion" };
  if (has("text")) return { type: "text" };
  if (has("prompt")) return { problem: "prompt-only rows (prompt), which this command does not train on" };
  return { problem: `columns of no known type (${listColumns(row)})${misspelt(row)}` };
}

export function listColumns(row: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(row);
  if (names.length === 0) return "none";
  return names.slice(0, 8).join(", ") + (names.length > 8 ? ", …" : "");
}

/** `. Unknown column "chosne". Did you mean "chosen"?` when a column is nearly one we know. */
export function misspelt(
  row: Readonly<Record<string, unknown>>,
  wanted: readonly string[] = typeColumns,
): string {
  for (const name of Object.keys(row)) {
    if (wanted.includes(name)) continue;
    const text = unknownName("column", name, wanted);
    if (text.includes("Did you mean")) return `. ${text.replace(/\?$/, "")}?`;
  }
  return "";
}
