// Tokenised rows by hand for the tests of what reward models make of judgements. Must not read files.

import type { TokenisedRow } from "../../lib/data/index.js";

/** A row of answers of one, two, three … tokens; the rest as given. */
export function judgedRow(answers: number, given: Partial<TokenisedRow> = {}): TokenisedRow {
  return {
    prompt: Int32Array.of(1, 2),
    completions: Array.from({ length: answers }, (_, i) => new Int32Array(i + 1).fill(10 + i)),
    weight: 1,
    label: 1,
    margin: 0,
    index: 0,
    place: { file: "rows.jsonl", line: 1 },
    truncated: false,
    promptHash: "a",
    ...given,
  };
}
