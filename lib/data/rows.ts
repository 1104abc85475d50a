// The kinds of rows the trainers read, as they are after checking and before tokenising.
// Types only; must not import anything above the data room.

import type { ChatMessage } from "../text/index.js";

/** Kinds of rows a trainer can ask for. */
export type RowType =
  | "text"
  | "prompt"
  | "prompt-completion"
  | "preference"
  | "unpaired"
  | "stepwise"
  | "ranking"
  | "best-of"
  | "rating";

/** A type, "auto" (told by the columns), or "hh": transcripts ("\n\nHuman: … \n\nAssistant: …") that become messages. */
export type RowFormat = RowType | "auto" | "hh";

/** What a column holds: a text, messages, or token ids. All columns of a row hold the same. */
export type Content = string | readonly ChatMessage[] | Int32Array;

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
  /** Rows that share it belong to one prompt; told from the prompt when the row names none. */
  readonly group?: string;
  /** Ids of the judgements behind the row. */
  readonly source?: readonly string[];
  /** Tools that the chat template lists. */
  readonly tools?: readonly unknown[];
  /** Further variables of the chat template (`chat_template_kwargs`). */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Columns as text, for a model without a chat template, of a row whose transcript became messages. */
  readonly transcript?: Readonly<Record<string, string>>;
  /** Every column that the type does not know. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A text, where every token but the first is a target, or a whole conversation (column `messages`). */
export interface TextRow extends RowBase {
  readonly type: "text";
  readonly text: Content;
}

/** A question without an answer, to sample from. */
export interface PromptRow extends RowBase {
  readonly type: "prompt";
  readonly prompt: Content;
}

export interface PromptCompletionRow extends RowBase {
  readonly type: "prompt-completion";
  readonly prompt: Content;
  readonly completion: Content;
}

export interface PreferenceRow extends RowBase {
  readonly type: "preference";
  /** Given, or found as what the two sides share. */
  readonly prompt: Content;
  readonly chosen: Content;
  readonly rejected: Content;
  /** P(chosen is better), 0 to 1; 1 when the row names none, 0.5 = tie. */
  readonly label: number;
  /** >= 0; 0 when the row names none. */
  readonly margin: number;
  /** Neither answer is any good (`both_bad`): no pair, but two bad answers. */
  readonly bothBad?: boolean;
  /** Summed log-probs of chosen and rejected under the reference, where the row brings them along. */
  readonly referenceLogps?: readonly [number, number];
}

/** One answer and whether it is good. */
export interface UnpairedRow extends RowBase {
  readonly type: "unpaired";
  readonly prompt: Content;
  readonly completion: Content;
  readonly good: boolean;
  /** An answer to another prompt, for the KL baseline. */
  readonly klCompletion?: Content;
}

/** Steps of one answer, each right or wrong. */
export interface StepwiseRow extends RowBase {
  readonly type: "stepwise";
  readonly prompt: Content;
  readonly completions: readonly Content[];
  readonly labels: readonly boolean[];
}

/** K different answers in order; best of K is rank 1 for one and 2 for the others. */
export interface RankingRow extends RowBase {
  readonly type: "ranking" | "best-of";
  readonly prompt: Content;
  readonly completions: readonly Content[];
  /** 1 best, equal = tie; answers without a place share the rank behind all others. */
  readonly ranks: readonly number[];
  /** How many answers have a place, where some have none (`null` in the column; of best of K all but one). */
  readonly placed?: number;
}

export interface RatingRow extends RowBase {
  readonly type: "rating";
  readonly prompt: Content;
  readonly completion: Content;
  readonly rating: number;
  readonly axis?: string;
}

export type Row =
  | TextRow
  | PromptRow
  | PromptCompletionRow
  | PreferenceRow
  | UnpairedRow
  | StepwiseRow
  | RankingRow
  | RatingRow;

type WithoutPlace<R> = R extends unknown ? Omit<R, "index" | "place"> : never;

/** A row without its place in the files. */
export type RowContent = WithoutPlace<Row>;
