// What can reward an answer: a reward model, a linear bound on one, or a function. Types only, beside the name of each.

import type { Content } from "../data/index.js";
import type { AggregateOptions, Model } from "../engine/index.js";
import type { Confidence, RewardBound, StatesModel } from "./bound-scores.js";

/** One answer as a reward function sees it. */
export interface RewardSample {
  /** As its row has it: text, messages or token ids. */
  readonly prompt: Content;
  /** Token ids of the policy, the stop token included. */
  readonly completion: Int32Array;
  /** The answer's text, without the stop token. */
  readonly text: string;
  /** Number of the prompt in the rollout; answers of one prompt stand one behind the other. */
  readonly promptIndex: number;
  /** "length": it was cut before it ended. */
  readonly finish: "stop" | "length";
  /** Columns of the prompt's row that its type does not know. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface RewardContext {
  /** Aborts when the run is cancelled, the time is up or another source failed: pass it on to what waits. */
  readonly signal: AbortSignal;
}

/** A finite number per sample, or null: this source has no reward for it. */
export type RewardScores = ArrayLike<number | null>;

/** Rewards all samples of a rollout at once. */
export type RewardFunction = (
  samples: readonly RewardSample[],
  context: RewardContext,
) => RewardScores | Promise<RewardScores>;

interface SourceOptions {
  /** Unlike the others'. Default: the function's own name, or "reward model", "reward bound". */
  readonly name?: string;
  /** In the sum of all sources; 0: it is kept beside, without a part in it. Default 1. */
  readonly weight?: number;
}

export interface RewardFunctionSource extends SourceOptions {
  readonly score: RewardFunction;
  /** Milliseconds that one attempt may take. Default 60,000. */
  readonly timeout?: number;
  /** Further attempts after one that threw or took too long. Default 0. */
  readonly retries?: number;
}

/** A model with score heads; one with another tokenizer reads the text. */
export interface RewardModelSource extends SourceOptions, AggregateOptions {
  readonly model: Pick<Model, "scoreAll" | "scoreHeads" | "tokenizer">;
  /** By this head alone, from 0. */
  readonly head?: number;
  /** Trunk rows of one micro-batch. Default 2048. */
  readonly microBatchTokens?: number;
}

/** A linear bound on a reward model's states (`fitRewardBound`). */
export interface RewardBoundSource extends SourceOptions {
  readonly model: StatesModel & Pick<Model, "tokenizer">;
  readonly bound: RewardBound;
  /** "lower" (default) does not reward what nobody judged; "upper" seeks it. */
  readonly confidence?: Confidence;
  readonly microBatchTokens?: number;
}

export type RewardSource = RewardFunction | RewardFunctionSource | RewardModelSource | RewardBoundSource;
