// What a model says of an open item: scores of its answers, and features where it has a linear bound. Types only.

import type { LinearBound } from "../../preference/index.js";

/** Scores of one item's answers. */
export interface ItemScores {
  /** [answers][heads] a reward of each answer by each head of an ensemble; one head is an ensemble of one. */
  readonly heads: readonly (readonly number[])[];
  /** [answers] features that a linear bound reads, [size] each. */
  readonly features?: readonly Float64Array[];
}

export interface ScoredItem extends ItemScores {
  readonly item: string;
  /** Items that share it ask the same. */
  readonly promptHash: string;
}

/** What a selector may look at besides the items. */
export interface SelectionContext {
  /** How sure a linear reward is of features. */
  readonly bound?: LinearBound | undefined;
}

/** [items] What each is worth asking: any finite number, higher is asked sooner. */
export type Selector = (items: readonly ScoredItem[], context: SelectionContext) => readonly number[];
