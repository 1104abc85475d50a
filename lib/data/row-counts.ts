// Counts what happened to every row, and decides when a bad row stops the run.
// Must not read rows.

import { AttuneError, fail } from "../errors/index.js";
import type { TokenisedRow } from "./tokenised-row.js";

/** Why a sound row was left out. */
export const dropReasons = {
  identical: "chosen and rejected are identical",
  tie: "neither side is better (label 0.5, or all ranks equal)",
  too_long: "longer than --max-length",
  prompt_too_long: "the prompt alone fills --max-length, so no target is left",
  no_target: "nothing to train on after the first token",
  empty_prompt: "the prompt has no token in this vocabulary",
  empty_answer: "an answer says nothing: it has no token but the one that ends it",
  identical_when_cut: "chosen and rejected are identical after cutting to --max-length",
} as const;

export type DropReason = keyof typeof dropReasons;

/** Filled while rows are read and tokenised; goes to run.json as it is. */
export interface RowCounts {
  /** Rows seen, bad and dropped ones included. */
  read: number;
  /** Rows ready for training. */
  kept: number;
  /** Kept rows that were cut to fit. */
  truncated: number;
  /** Kept rows that judge neither side better: label 0.5, or all ranks equal. Never turned into wins. */
  ties: number;
  /** Rows that could not be read and were skipped on request. */
  bad: number;
  /** The first few bad rows' messages. */
  readonly badMessages: string[];
  readonly dropped: Partial<Record<DropReason, number>>;
}

const MESSAGES_KEPT = 10;

export function createRowCounts(): RowCounts {
  return { read: 0, kept: 0, truncated: 0, ties: 0, bad: 0, badMessages: [], dropped: {} };
}

export function countDropped(counts: RowCounts, reason: DropReason): void {
  counts.dropped[reason] = (counts.dropped[reason] ?? 0) + 1;
}

/** Counts a row that is ready for training. */
export function countKept(counts: RowCounts, row: Pick<TokenisedRow, "truncated" | "label" | "ranks">): void {
  counts.kept += 1;
  if (row.truncated) counts.truncated += 1;
  if (isTie(row)) counts.ties += 1;
}

export function isTie({ label, ranks }: Pick<TokenisedRow, "label" | "ranks">): boolean {
  return label === 0.5 || ranks?.every((rank) => rank === ranks[0]) === true;
}

export interface TolerateOptions {
  readonly error: unknown;
  readonly counts: RowCounts;
  /** How many bad rows may be skipped in all. */
  readonly skipBadRows: number;
}

/** Counts a bad row, or throws its error when the tolerated number is used up. Other errors are thrown as they are. */
export function tolerate({ error, counts, skipBadRows }: TolerateOptions): void {
  if (!(error instanceof AttuneError)) throw error;
  if (counts.bad < skipBadRows) {
    counts.bad += 1;
    if (counts.badMessages.length < MESSAGES_KEPT) counts.badMessages.push(error.message);
    return;
  }
  if (skipBadRows === 0) throw error;
  const before = `${skipBadRows} bad ${skipBadRows === 1 ? "row was" : "rows were"} skipped before it.`;
  throw fail(error.code, `${error.message} (${before})`, {
    cause: error,
    details: { ...error.details, ...counts },
  });
}

/** The error for a data set of which nothing is left. */
export function noRowsLeft(counts: RowCounts): AttuneError {
  const reasons = Object.entries(counts.dropped).map(([reason, count]) => {
    return `${count}: ${dropReasons[reason as DropReason]}`;
  });
  if (counts.bad > 0)
    reasons.push(`${counts.bad}: could not be read (first: ${counts.badMessages[0] ?? ""})`);
  const list = reasons.length === 0 ? "no row was found" : reasons.join("; ");
  const text = `Expected at least one row to train on, but none is left of ${counts.read} (${list}).`;
  return fail("ATTUNE_NO_ROWS", `${text} ${adviceFor(counts)}`, { details: { ...counts } });
}

function adviceFor({ dropped }: RowCounts): string {
  if (dropped.prompt_too_long !== undefined) return "Raise --max-length.";
  if (dropped.too_long !== undefined) return "Raise --max-length, or cut long rows with --truncate.";
  return "Check the data.";
}
