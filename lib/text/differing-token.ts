// Whether two tokenizers give ids the same meaning: vocabularies of one size may still differ. Must not read files.

import type { Tokenizer } from "./tokenizer.js";

export interface DifferingToken {
  readonly id: number;
  /** What the id is to the one and to the other; undefined: nothing. */
  readonly first: string | undefined;
  readonly second: string | undefined;
}

/** The first id that is another token to the second tokenizer; undefined where there is none. */
export function differingToken(one: Tokenizer, other: Tokenizer): DifferingToken | undefined {
  if (one.hash === other.hash) return undefined;
  for (let id = 0; id < Math.max(one.vocabSize, other.vocabSize); id++) {
    const [first, second] = [one.tokenOf(id), other.tokenOf(id)];
    if (first !== second) return { id, first, second };
  }
  return undefined;
}
