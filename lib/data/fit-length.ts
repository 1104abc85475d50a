// The length rules: which part of a sequence stays when it is longer than allowed, and when a row must go.
// Must not tokenise or count.

import type { DropReason } from "./row-counts.js";

export interface SequenceIds {
  readonly prompt: Int32Array;
  readonly completions: readonly Int32Array[];
}

export interface FittedIds extends SequenceIds {
  readonly truncated: boolean;
}

export interface FitDemonstrationOptions {
  readonly ids: SequenceIds;
  readonly maxLength: number;
}

/** Keeps the start; a completion that is cut loses its EOS. Dropped when no target is left. */
export function fitDemonstration({ ids, maxLength }: FitDemonstrationOptions): FittedIds | DropReason {
  const { prompt, completions } = ids;
  const room = maxLength - prompt.length;
  if (completions.every((completion) => completion.length === 0)) return "no_target";
  if (completions.every((completion) => completion.length <= room))
    return { prompt, completions, truncated: false };
  if (room <= 0) return "prompt_too_long";
  return { prompt, completions: completions.map((completion) => completion.slice(0, room)), truncated: true };
}

export interface FitPairOptions {
  readonly ids: SequenceIds;
  readonly maxLength: number;
  readonly overLength: "drop" | "truncate";
  /** Ids at the prompt's start (BOS) that stay when it is cut. */
  readonly start: number;
}

/**
 * A pair whose longer side is over the limit is dropped, or cut: the prompt keeps its end, the completions their start.
 * The prompt gives way first, down to half of `maxLength`; then the completions are cut, losing their EOS.
 */
export function fitPair({ ids, maxLength, overLength, start }: FitPairOptions): FittedIds | DropReason {
  const { prompt, completions } = ids;
  const longest = Math.max(...completions.map((completion) => completion.length));
  if (prompt.length + longest <= maxLength) return { prompt, completions, truncated: false };
  if (overLength === "drop") return "too_long";
  const atLeast = Math.max(1, start, Math.floor(maxLength / 2));
  const kept = Math.min(prompt.length, Math.max(atLeast, maxLength - longest));
  const room = maxLength - kept;
  if (room < 1) return "prompt_too_long";
  const cut = completions.map((completion) => completion.slice(0, room));
  const [first, ...others] = cut;
  if (first !== undefined && others.length > 0 && others.every((other) => equal(other, first))) {
    return "identical_when_cut";
  }
  return { prompt: keepEnd(prompt, kept, start), completions: cut, truncated: true };
}

function keepEnd(prompt: Int32Array, kept: number, start: number): Int32Array {
  const tail = kept - start;
  return joinIds(prompt.subarray(0, start), prompt.subarray(prompt.length - tail));
}

export function joinIds(first: Int32Array, second: Int32Array): Int32Array {
  const joined = new Int32Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
