// Builds batches by hand from whole sequences with chosen targets: the contract of native/core/batch.h in plain loops.
// Must not use lib/data/pack.ts: a test of one would then be a test of both.

import type { PackedBatch } from "../../lib/data/index.js";

export interface ScoredPosition {
  /** Position in the sequence whose hidden state predicts the token. */
  readonly position: number;
  readonly token: number;
}

export interface WholeSequence {
  readonly tokens: ArrayLike<number>;
  readonly scored: readonly ScoredPosition[];
}

export interface BatchOfSequencesOptions {
  readonly sequences: readonly WholeSequence[];
  /** Completions (sequences) of one group. Default 1; 2 for pairs. */
  readonly perGroup?: number;
}

/** One segment and one completion per sequence; nothing is shared and positions count from 0 in each. */
export function batchOfSequences({ sequences, perGroup = 1 }: BatchOfSequencesOptions): PackedBatch {
  const tokens: number[] = [];
  const positions: number[] = [];
  const segments: number[] = [];
  const targets: number[] = [];
  const completions: number[] = [];
  for (const { tokens: own, scored } of sequences) {
    const start = tokens.length;
    segments.push(start, own.length, -1);
    completions.push(targets.length / 2, scored.length);
    for (const [position, token] of Array.from(own).entries()) {
      tokens.push(token);
      positions.push(position);
    }
    for (const { position, token } of scored) targets.push(start + position, token);
  }
  const groupCount = sequences.length / perGroup;
  const groups = Array.from({ length: groupCount }, (_, group) => [group * perGroup, perGroup]).flat();
  return {
    tokens: Int32Array.from(tokens),
    positions: Int32Array.from(positions),
    segments: Int32Array.from(segments),
    targets: Int32Array.from(targets),
    completions: Int32Array.from(completions),
    groups: Int32Array.from(groups),
    rows: Int32Array.from({ length: groupCount }, (_, group) => group),
    counts: { tokens: tokens.length, tokensComputed: tokens.length, targets: targets.length / 2 },
  };
}

/** Every position as a target; the token after it, or 0 after the last one, whose log-prob means nothing. */
export function everyPosition(tokens: ArrayLike<number>): readonly ScoredPosition[] {
  return Array.from({ length: tokens.length }, (_, position) => ({
    position,
    token: tokens[position + 1] ?? 0,
  }));
}

/** The positions whose next token is marked. `mask` is by position. */
export function maskedPositions(
  tokens: ArrayLike<number>,
  mask: ArrayLike<number>,
): readonly ScoredPosition[] {
  return everyPosition(tokens).filter(({ position }) => mask[position] === 1);
}
