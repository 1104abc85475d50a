// The length rules: which part of a sequence stays when it is longer than allowed, and when a row must go.
// Must not tokenise or count.

import type { DropReason } from "./row-counts.js";

export interface SequenceIds {
  readonly prompt: Int32Array;
  readonly completions: readonly Int32Array[];
  /** Per completion: 1 where a token is a target; undefined: all are. */
  readonly masks?: readonly (Uint8Array | undefined)[];
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
  const { prompt, completions, masks } = ids;
  const room = maxLength - prompt.length;
  if (completions.every((completion) => completion.length === 0)) return "no_target";
  if (completions.every((completion) => completion.length <= room)) return { ...ids, truncated: false };
  if (room <= 0) return "prompt_too_long";
  const cut = completions.map((completion) => completion.slice(0, room));
  if (masks === undefined) return { prompt, completions: cut, truncated: true };
  const cutMasks = masks.map((mask) => mask?.slice(0, room));
  if (cutMasks.every((mask) => mask !== undefined && !mask.includes(1))) return "no_target";
  return { prompt, completions: cut, masks: cutMasks, truncated: true };
}

export interface FitAnswersOptions {
  readonly ids: SequenceIds;
  readonly maxLength: number;
  readonly overLength: "drop" | "truncate";
  /** Ids at the prompt's start (BOS) that stay when it is cut. */
  readonly start: number;
  /** Whether answers that became the same by cutting have nothing left to compare. */
  readonly compared: boolean;
}

/**
 * Answers to one prompt: when the longest is over the limit the row is dropped, or cut: the prompt keeps its end, the
 * answers their start. The prompt gives way first, down to half of `maxLength`; then the answers are cut, losing their
 * EOS.
 */
export function fitAnswers(options: FitAnswersOptions): FittedIds | DropReason {
  const { ids, maxLength, overLength, start, compared } = options;
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
  if (compared && first !== undefined && others.every((other) => sameIds(other, first))) {
    return "identical_when_cut";
  }
  return { prompt: keepEnd(prompt, kept, start), completions: cut, truncated: true };
}

/** Steps of one answer, one behind the other: a row over the limit is dropped, since a step must not be cut. */
export function fitSteps({ ids, maxLength }: FitDemonstrationOptions): FittedIds | DropReason {
  const length = ids.completions.reduce((sum, step) => sum + step.length, ids.prompt.length);
  return length <= maxLength ? { ...ids, truncated: false } : "too_long";
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

export function sameIds(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
