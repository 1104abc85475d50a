// A row as token ids with explicit lengths, and a set of such rows wherever they are kept. Types only.
// Must not import anything above the data room.

import type { RowPlace } from "./rows.js";

/** A judgement between two of a row's completions, by their numbers. */
export interface JudgedPair {
  readonly better: number;
  readonly worse: number;
  /** P(the better one is better); 0.5 = tie. */
  readonly label: number;
  readonly margin: number;
  readonly weight: number;
}

export interface TokenisedRow {
  /** Ids of the prompt, BOS in front where there is one. For rows without a prompt the first token. Never empty. */
  readonly prompt: Int32Array;
  /** One for a demonstration, [chosen, rejected] for a pair, K for a ranking. EOS is included unless cut. */
  readonly completions: readonly Int32Array[];
  /** Per completion: 1 where a token is a target. Absent (or an entry undefined): every token is. */
  readonly masks?: readonly (Uint8Array | undefined)[];
  /** Scales the row's loss; 1 where the row names none. */
  readonly weight: number;
  /** P(chosen is better); 1 for demonstrations. For unpaired rows 1 = good, 0 = bad. */
  readonly label: number;
  readonly margin: number;
  /** Rankings: rank of each completion, 1 best, equal = tie. Best of K: 1 for the best, 2 for the others. */
  readonly ranks?: readonly number[];
  /** Rankings of which not every completion has a place: how many have one. The others are unordered below them. */
  readonly placed?: number;
  /** Pairs of one prompt put together (`mergeGroups`): what was judged, by the numbers of the completions. */
  readonly pairs?: readonly JudgedPair[];
  readonly rating?: number;
  readonly axis?: string;
  /** Stepwise rows: whether each step (completion) is right. */
  readonly stepLabels?: readonly boolean[];
  /** Unpaired rows: the mismatched completion of the KL baseline, where the row names one. */
  readonly klCompletion?: Int32Array;
  /** Summed log-probs under the reference that the row brings along, one per completion. */
  readonly referenceLogps?: readonly number[];
  /** Ids of the judgements behind the row. */
  readonly source?: readonly string[];
  /** Number of the row in file order, from 0. */
  readonly index: number;
  readonly place: RowPlace;
  readonly truncated: boolean;
  /** Hash of the prompt (or the row's own `group`): rows that share it belong to one prompt and stay in one split. */
  readonly promptHash: string;
}

/** What a row costs, for planning memory. */
export interface RowSize {
  /** Rows of the trunk: the prompt once, and each completion without its last token. */
  readonly trunkRows: number;
  readonly targets: number;
}

/** Tokenised rows by position; an array is one, a store on disk another. */
export interface TokenisedRows {
  readonly length: number;
  at(position: number): TokenisedRow | undefined;
  /** A store's answer without reading the row; `sizeOfRow` asks any set of rows. */
  sizeAt?(position: number): RowSize | undefined;
  /** A store's answer without reading the row: two words that rows of one prompt share. */
  groupAt?(position: number): readonly [number, number] | undefined;
}
