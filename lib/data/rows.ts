// The kinds of rows this version reads, as they are after checking and before tokenising.
// Types only; must not import anything above the data room.

/** Kinds of rows a trainer can ask for. */
export type RowType = "text" | "prompt-completion" | "preference";

/** Where a row stands, for messages: a file and its line, counted from 1 (blank lines too). */
export interface RowPlace {
  readonly file: string;
  readonly line: number;
}

interface RowBase {
  /** Number of the row over all files in file order, from 0; bad and dropped rows count. */
  readonly index: number;
  readonly place: RowPlace;
  /** Scales the row's loss; >= 0, 1 when the row names none. */
  readonly weight: number;
  /** Every column that the type does not know. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Plain text: every token but the first is a target. */
export interface TextRow extends RowBase {
  readonly type: "text";
  readonly text: string;
}

export interface PromptCompletionRow extends RowBase {
  readonly type: "prompt-completion";
  readonly prompt: string;
  readonly completion: string;
}

export interface PreferenceRow extends RowBase {
  readonly type: "preference";
  /** Given, or found as what the two sides share. */
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
  /** P(chosen is better), 0 to 1; 1 when the row names none. */
  readonly label: number;
  /** >= 0; 0 when the row names none. */
  readonly margin: number;
}

export type Row = TextRow | PromptCompletionRow | PreferenceRow;

/** A row without its place in the files. */
export type RowContent =
  | Omit<TextRow, "index" | "place">
  | Omit<PromptCompletionRow, "index" | "place">
  | Omit<PreferenceRow, "index" | "place">;
