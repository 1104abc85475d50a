// Notices judgements that come again, the same way or the other way round, by 64-bit hashes: 9 bytes a slot, at most two
// thirds of the slots taken. Must not hold rows: two judgements of one hash count as the same, one in 10^7 at a million rows.

import { createHash } from "node:crypto";
import type { RowCounts } from "./row-counts.js";
import type { TokenisedRow } from "./tokenised-row.js";

/** The first or second answer is better (or: the answer is good, bad), or neither. */
export type Verdict = 1 | 2 | 4;

/** Words of one judgement: two of the hash of what was judged, and the verdict. */
export const JUDGEMENT_WORDS = 3;

type Judged = Pick<
  TokenisedRow,
  "prompt" | "completions" | "label" | "ranks" | "rating" | "axis" | "stepLabels"
>;

/** [JUDGEMENT_WORDS] of a row. A pair is the same whichever side stands first; what else a row says is part of the hash. */
export function judgementOfRow(row: Judged): readonly [number, number, Verdict] {
  const { prompt, completions, label, ranks, rating, axis, stepLabels } = row;
  const hash = createHash("sha256");
  const add = (ids: Int32Array) => {
    hash.update(Int32Array.of(ids.length));
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  };
  add(prompt);
  const [first, second] = completions;
  const isPair = completions.length === 2 && ranks === undefined && stepLabels === undefined;
  const swapped = isPair && first !== undefined && second !== undefined && isAfter(first, second);
  for (const ids of swapped ? completions.toReversed() : completions) add(ids);
  const rest = [ranks, rating, axis, stepLabels];
  if (rest.some((part) => part !== undefined)) hash.update(JSON.stringify(rest));
  const digest = hash.digest();
  const verdict = label === 0.5 ? 4 : label > 0.5 !== swapped ? 1 : 2;
  return [digest.readUInt32LE(0), digest.readUInt32LE(4), verdict];
}

/** An order of ids, whatever it is. */
function isAfter(first: Int32Array, second: Int32Array): boolean {
  if (first.length !== second.length) return first.length > second.length;
  const at = first.findIndex((id, i) => id !== second[i]);
  return at >= 0 && (first[at] ?? 0) > (second[at] ?? 0);
}

const FIRST_SLOTS = 1024;

/** All judgements so far: a table of open slots, doubled when it fills. */
export class SeenJudgements {
  /** [slots, 2] hashes. */
  #hashes = new Uint32Array(2 * FIRST_SLOTS);
  /** [slots] verdicts seen, as bits; 0 = an open slot. */
  #verdicts = new Uint8Array(FIRST_SLOTS);
  #taken = 0;

  /** Counts judgements as they come in: [judgements, JUDGEMENT_WORDS]. */
  count(counts: RowCounts, judgements: Uint32Array): void {
    for (let at = 0; at < judgements.length; at += JUDGEMENT_WORDS) {
      const verdict = judgements[at + 2] ?? 0;
      const before = this.#add(judgements[at] ?? 0, judgements[at + 1] ?? 0, verdict);
      if ((before & verdict) !== 0) counts.duplicates += 1;
      else if (verdict !== 4 && (before & 3) !== 0) counts.contradictions += 1;
    }
  }

  /** The verdicts of the same hash before this one. */
  #add(low: number, high: number, verdict: number): number {
    if (3 * this.#taken >= 2 * this.#verdicts.length) this.#grow();
    const slot = this.#slotOf(low, high);
    const before = this.#verdicts[slot] ?? 0;
    if (before === 0) {
      this.#taken += 1;
      this.#hashes[2 * slot] = low;
      this.#hashes[2 * slot + 1] = high;
    }
    this.#verdicts[slot] = before | verdict;
    return before;
  }

  /** Where the hash stands, or the open slot where it belongs. */
  #slotOf(low: number, high: number): number {
    const last = this.#verdicts.length - 1;
    let slot = low & last;
    while (this.#verdicts[slot] !== 0) {
      if (this.#hashes[2 * slot] === low && this.#hashes[2 * slot + 1] === high) break;
      slot = (slot + 1) & last;
    }
    return slot;
  }

  #grow(): void {
    const [hashes, verdicts] = [this.#hashes, this.#verdicts];
    this.#hashes = new Uint32Array(2 * hashes.length);
    this.#verdicts = new Uint8Array(2 * verdicts.length);
    for (const [old, verdict] of verdicts.entries()) {
      if (verdict === 0) continue;
      const [low, high] = [hashes[2 * old] ?? 0, hashes[2 * old + 1] ?? 0];
      const slot = this.#slotOf(low, high);
      this.#hashes[2 * slot] = low;
      this.#hashes[2 * slot + 1] = high;
      this.#verdicts[slot] = verdict;
    }
  }
}
