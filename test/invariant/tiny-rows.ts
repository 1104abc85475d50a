// Pairs of random ids with awkward lengths, for batches that must give the same numbers however they are packed.
// The same seed gives the same rows. Must not import the library's code.

import type { PackableRow } from "../../lib/data/index.js";
import { normalNumbers } from "../support/tiny-model.js";
import { TINY_VOCABULARY } from "../support/tiny-tokenizer.js";

/** Lengths of prompt, chosen, rejected: ones, odd ones, and around the widths of tiles and windows. */
const lengths = [
  [1, 1, 2],
  [5, 17, 9],
  [33, 1, 40],
  [16, 31, 32],
  [70, 12, 3],
  [2, 65, 64],
  [47, 8, 15],
  [9, 3, 50],
] as const;

/** Eight pairs. */
export function pairRows(seed = 7): readonly PackableRow[] {
  const next = normalNumbers(seed);
  const ids = (count: number) => Int32Array.from({ length: count }, () => idOf(next()));
  return lengths.map(([prompt, chosen, rejected]) => ({
    prompt: ids(prompt),
    completions: [ids(chosen), ids(rejected)],
  }));
}

/** The same rows as demonstrations: the first side only. */
export function demonstrationRows(seed = 7): readonly PackableRow[] {
  return pairRows(seed).map(({ prompt, completions }) => ({ prompt, completions: completions.slice(0, 1) }));
}

function idOf(normal: number): number {
  return Math.min(TINY_VOCABULARY - 1, Math.floor(Math.abs(normal) * 100) % TINY_VOCABULARY);
}
