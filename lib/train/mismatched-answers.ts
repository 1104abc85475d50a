// Which answer to another prompt each row of an update takes for the KL baseline of KTO. It depends on which rows are there,
// not on their order. Must not use a model.

import type { TokenisedRow, TokenisedRows } from "../data/index.js";
import { fail } from "../errors/index.js";
import { tokensHash } from "./fingerprint.js";

/** A row's prompt with an answer that was not written for it. */
export interface Mismatched {
  readonly prompt: Int32Array;
  readonly completion: Int32Array;
  /** Position of the row in its data set. */
  readonly row: number;
  /** The row itself names the answer: the same at every visit. */
  readonly own: boolean;
}

export interface MismatchedOptions {
  readonly data: TokenisedRows;
  /** Positions of the rows of the update. */
  readonly rows: ArrayLike<number>;
  /** Most tokens of prompt and answer together; a longer answer is cut. */
  readonly maxLength: number;
}

/**
 * The row's own `klCompletion`, else, with the rows in the order of a hash of their tokens, the answer of the nearest row
 * before it (the first follows the last) that has another prompt. A row without any is left out. In the order of that hash.
 * @throws ATTUNE_DATA for a row that is alone and names no answer
 */
export function mismatchedAnswers({ data, rows, maxLength }: MismatchedOptions): readonly Mismatched[] {
  const all = Array.from(rows, (position) => hashedRow(data, position));
  const ordered = all.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.position - b.position));
  return ordered.flatMap(({ row, position }, place) => {
    const { prompt, klCompletion } = row;
    if (klCompletion === undefined && ordered.length < 2) throw aloneRow(row);
    const completion = klCompletion ?? earlierAnswer(ordered, place);
    if (completion === undefined) return [];
    const own = klCompletion !== undefined;
    return [{ prompt, completion: completion.subarray(0, maxLength - prompt.length), row: position, own }];
  });
}

interface HashedRow {
  readonly row: TokenisedRow;
  readonly position: number;
  readonly key: string;
  readonly prompt: string;
}

function hashedRow(data: TokenisedRows, position: number): HashedRow {
  const row = data.at(position);
  if (row === undefined) throw new RangeError(`no row ${position}`);
  const { prompt, completions } = row;
  return { row, position, key: tokensHash([prompt, ...completions]), prompt: tokensHash([prompt]) };
}

/** Rows of one prompt may lie side by side: they are skipped. */
function earlierAnswer(ordered: readonly HashedRow[], place: number): Int32Array | undefined {
  const { length } = ordered;
  const own = ordered[place]?.prompt;
  for (let back = 1; back < length; back++) {
    const other = ordered[(place - back + length) % length];
    if (other !== undefined && other.prompt !== own) return other.row.completions[0];
  }
  return undefined;
}

function aloneRow({ place }: TokenisedRow) {
  const text = `Expected two or more rows in every step of the loss kto, which measures prompts with each other's answers, but the row at ${place.file}:${place.line} is alone.`;
  return fail(
    "ATTUNE_DATA",
    `${text} Choose a batch-size that leaves no single row over, or give the row a kl_completion.`,
    {
      details: { ...place },
    },
  );
}
