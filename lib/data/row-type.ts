// Tells the type of a row from its columns. Must not check what the columns hold: check-row.ts does.

import { unknownName } from "../errors/index.js";
import type { RowType } from "./rows.js";

/** What each type asks for, as messages put it. */
export const typeNames: Readonly<Record<RowType, string>> = {
  text: "text rows (text or messages)",
  prompt: "prompt-only rows (prompt)",
  "prompt-completion": "prompt-completion rows (prompt, completion)",
  preference: "preference rows (chosen, rejected, and prompt unless the two sides hold it)",
  unpaired: "unpaired rows (prompt, completion, label)",
  stepwise: "stepwise rows (prompt, completions, labels)",
  ranking: "ranking rows (prompt, completions, ranks)",
  "best-of": "best-of rows (prompt, completions, best)",
  rating: "rating rows (prompt, completion, rating)",
};

/** What learns from each type, for whoever gave rows to a command that doesn't. */
export const typeUses: Readonly<Record<RowType, string>> = {
  text: "attune sft learns from",
  prompt: "attune generate and attune evaluate answer",
  "prompt-completion": "attune sft learns from",
  preference: "attune dpo with a loss of pairs, attune reward and attune kto learn from",
  unpaired: "attune kto learns from",
  stepwise: "no command of this version learns from",
  ranking: "attune reward, and attune dpo with --loss plackett-luce or all-pairs, learn from",
  "best-of": "attune reward, and attune dpo with --loss best-of-k, learn from",
  rating: "attune reward learns from",
};

/** Columns every row may have. */
export const sharedColumns = ["weight", "group", "source", "tools", "chat_template_kwargs"] as const;

/** The columns of each type beside the shared ones; all others go to `metadata`. */
export const typeColumns: Readonly<Record<RowType, readonly string[]>> = {
  text: ["text", "messages"],
  prompt: ["prompt"],
  "prompt-completion": ["prompt", "completion"],
  preference: [
    "prompt",
    "chosen",
    "rejected",
    "label",
    "margin",
    "both_bad",
    "ref_chosen_logps",
    "ref_rejected_logps",
  ],
  unpaired: ["prompt", "completion", "label", "kl_completion"],
  stepwise: ["prompt", "completions", "labels"],
  ranking: ["prompt", "completions", "ranks"],
  "best-of": ["prompt", "completions", "best"],
  rating: ["prompt", "completion", "rating", "axis"],
};

/** Columns without which a row is none of the type (of `text`, one of the two). */
export const requiredColumns: Readonly<Record<RowType, readonly string[]>> = {
  text: [],
  prompt: ["prompt"],
  "prompt-completion": ["prompt", "completion"],
  preference: ["chosen", "rejected"],
  unpaired: ["prompt", "completion", "label"],
  stepwise: ["prompt", "completions", "labels"],
  ranking: ["prompt", "completions", "ranks"],
  "best-of": ["prompt", "completions", "best"],
  rating: ["prompt", "completion", "rating"],
};

/** Column names that give a row its type, to compare misspelt ones with. */
const telling = ["text", "messages", "prompt", "completion", "completions", "chosen", "rejected"] as const;

/** Columns that mean data this version cannot use; left out they would change what is learnt. */
const unsupported: Readonly<Record<string, string>> = {
  segments: "segments of control tasks",
  images: "images",
};

export type DetectedType = { readonly type: RowType } | { readonly problem: string };

type Columns = Readonly<Record<string, unknown>>;

/** The type that the columns stand for, or why they stand for none. A column that is null counts as absent. */
export function detectRowType(row: Columns): DetectedType {
  const has = (column: string) => row[column] !== undefined && row[column] !== null;
  if (has("chosen") || has("rejected")) return { type: "preference" };
  if (has("completions")) return detectSeveral(has);
  if (has("text") || has("messages")) {
    const others = ["text", "messages", "prompt", "completion"].filter(has);
    if (others.length === 1) return { type: "text" };
    return { problem: `columns of two types (${others.join(", ")}); name one with --format` };
  }
  if (has("completion")) {
    if (has("rating")) return { type: "rating" };
    if (typeof row.label === "boolean" || has("kl_completion")) return { type: "unpaired" };
    return { type: "prompt-completion" };
  }
  if (has("prompt")) return { type: "prompt" };
  return { problem: `columns of no known type (${listColumns(row)})${misspelt(row)}` };
}

function detectSeveral(has: (column: string) => boolean): DetectedType {
  const found = [
    ...(has("labels") ? (["stepwise"] as const) : []),
    ...(has("ranks") ? (["ranking"] as const) : []),
    ...(has("best") ? (["best-of"] as const) : []),
  ];
  const [type, other] = found;
  if (type !== undefined && other === undefined) return { type };
  if (type !== undefined)
    return { problem: `columns of two types (${found.join(", ")}); name one with --format` };
  return { problem: "several completions, but no column ranks, best or labels beside them" };
}

/** What a row holds that this version cannot train on; undefined when nothing. */
export function unsupportedColumn(
  row: Columns,
): { readonly column: string; readonly what: string } | undefined {
  for (const [column, what] of Object.entries(unsupported)) {
    const value = row[column];
    const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!empty) return { column, what };
  }
  return undefined;
}

export function listColumns(row: Columns): string {
  const names = Object.keys(row);
  if (names.length === 0) return "none";
  return names.slice(0, 8).join(", ") + (names.length > 8 ? ", …" : "");
}

/** `. Unknown column "chosne". Did you mean "chosen"?` when a column is nearly one we know. */
export function misspelt(row: Columns, wanted: readonly string[] = telling): string {
  for (const name of Object.keys(row)) {
    if (wanted.includes(name)) continue;
    const text = unknownName("column", name, wanted);
    if (text.includes("Did you mean")) return `. ${text.replace(/\?$/, "")}?`;
  }
  return "";
}
