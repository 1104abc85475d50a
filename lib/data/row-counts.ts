// Counts what happened to every row, and decides when a bad row stops the run.
// Must not read rows.

import { AttuneError, fail } from "../errors/index.js";
import type { Row } from "./rows.js";
import type { TokenisedRow } from "./tokenised-row.js";

/** Why a sound row was left out. */
export const dropReasons = {
  identical: "chosen and rejected are identical (or two answers of a ranking)",
  tie: "neither side is better (label 0.5, or all ranks equal)",
  both_bad: "both sides are bad (both_bad), so there is nothing to prefer",
  too_long: "longer than --max-length",
  prompt_too_long: "the prompt alone fills --max-length, so an answer has no room",
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
  /** Kept rows whose prompt and answers came before with the same judgement. */
  duplicates: number;
  /** Kept rows whose prompt and answers came before with the opposite judgement: once per pair judged both ways. */
  contradictions: number;
  /** Rows that call both of their answers bad. */
  bothBad: number;
  /** Rows that became two, a good and a bad answer (kto from pairs). */
  split: number;
  /** Kept rows that joined an earlier one of their prompt (reward). */
  merged: number;
  /** Kept single answers that are good, and that are not. */
  desirable: number;
  undesirable: number;
  /** Rows that could not be read and were skipped on request. */
  bad: number;
  /** The first few bad rows' messages. */
  readonly badMessages: string[];
  readonly dropped: Partial<Record<DropReason, number>>;
}

const MESSAGES_KEPT = 10;

export function createRowCounts(): RowCounts {
  return {
    read: 0,
    kept: 0,
    truncated: 0,
    ties: 0,
    duplicates: 0,
    contradictions: 0,
    bothBad: 0,
    split: 0,
    merged: 0,
    desirable: 0,
    undesirable: 0,
    bad: 0,
    badMessages: [],
    dropped: {},
  };
}

export function countDropped(counts: RowCounts, reason: DropReason): void {
  counts.dropped[reason] = (counts.dropped[reason] ?? 0) + 1;
}

/** What became of a sound row: rows of ids, or why there is none. */
export interface RowOutcomes {
  readonly row: Pick<Row, "type">;
  readonly outcomes: readonly (TokenisedRow | DropReason)[];
  /** Whether rows are single answers that are good or bad. */
  readonly single: boolean;
}

/** Counts what became of a row, and returns its rows that are ready for training. */
export function countOutcomes(
  counts: RowCounts,
  { row, outcomes, single }: RowOutcomes,
): readonly TokenisedRow[] {
  if ("bothBad" in row && row.bothBad === true) counts.bothBad += 1;
  counts.split += outcomes.length - 1;
  return outcomes.flatMap((outcome) => {
    if (typeof outcome === "string") {
      countDropped(counts, outcome);
      return [];
    }
    counts.kept += 1;
    if (outcome.truncated) counts.truncated += 1;
    if (isTie(outcome)) counts.ties += 1;
    if (single) counts[outcome.label === 1 ? "desirable" : "undesirable"] += 1;
    return [outcome];
  });
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
  const text = `Expected at least one row that can be used, but none is left of ${counts.read} (${list}).`;
  return fail("ATTUNE_NO_ROWS", `${text} ${adviceFor(counts)}`, { details: { ...counts } });
}

function adviceFor({ dropped }: RowCounts): string {
  if (dropped.prompt_too_long !== undefined) return "Raise --max-length.";
  if (dropped.too_long !== undefined) return "Raise --max-length, or cut long rows with --truncate.";
  return "Check the data.";
}
