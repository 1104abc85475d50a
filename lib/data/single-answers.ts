// Makes single judged answers of pairs: the better side is a good answer, the worse one a bad one.
// Must not tokenise or count.

import type { DropReason } from "./row-counts.js";
import type { PreferenceRow, UnpairedRow } from "./rows.js";

/**
 * Two answers of a pair. Where both are called bad, both are; a pair of which neither side is better (label 0.5) says
 * nothing about single answers, whatever side of a tie they stand on.
 */
export function singleAnswers(row: PreferenceRow): readonly [UnpairedRow, UnpairedRow] | DropReason {
  const { type: _, chosen, rejected, label, margin: __, bothBad, referenceLogps: ___, ...shared } = row;
  const answer = (completion: UnpairedRow["completion"], good: boolean): UnpairedRow => ({
    ...shared,
    type: "unpaired",
    completion,
    good,
  });
  if (bothBad === true) return [answer(chosen, false), answer(rejected, false)];
  if (label === 0.5) return "tie";
  return [answer(chosen, label > 0.5), answer(rejected, label < 0.5)];
}
