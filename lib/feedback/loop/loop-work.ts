// What a loop is handed: functions that generate, score and train, and what they are asked. lib/feedback knows no engine
// and no trainer: "place" is theirs, such as the folder of a model. Types only.

import type { LinearBound } from "../../preference/index.js";
import type { ExportedRow, ExportKind } from "../export-rows.js";
import type { FeedbackAnswer, FeedbackContent } from "../judgement.js";
import type { ItemScores } from "../selection/index.js";

/** A policy that the loop has registered in the project. */
export interface LoopPolicy {
  /** Its id in the project. */
  readonly policy: string;
  /** Counts the project's policies. */
  readonly number: number;
  /** Its name, for ratings. */
  readonly model: string;
  /** Where whoever generates and trains finds it. */
  readonly place: string;
}

/** What predicts judgements, and scores what to ask next. */
export interface LoopScorer {
  /** The policy of whose round it is. */
  readonly version: string;
  readonly place: string;
}

/** Prompts that the newest policy is to answer. */
export interface GenerateAnswers {
  readonly prompts: readonly FeedbackContent[];
  readonly policy: LoopPolicy;
  /** Of each prompt. */
  readonly answers: number;
  /** Another one for each call. */
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** An item to be scored. */
export interface AskedPair {
  readonly item: string;
  readonly promptHash: string;
  readonly prompt: FeedbackContent;
  readonly answers: readonly FeedbackAnswer[];
}

/** Items that are to be scored, and by which scorer. */
export interface ScoreItems {
  readonly items: readonly AskedPair[];
  readonly policy: LoopPolicy;
  readonly scorer: LoopScorer | undefined;
  readonly signal: AbortSignal;
}

/** Scores of items, in their order. */
export interface ScoredItems {
  /** In the order of the items. */
  readonly items: readonly ItemScores[];
  /** Of the items' features, for the selector `optimistic`. */
  readonly bound?: LinearBound;
}

/** A row of an export with what the loop knows of it; trainers pass unknown columns over. */
export interface LoopRow extends ExportedRow {
  /** Policies between the newest one and that of the row's older answer; absent where its answers name none. */
  readonly lag?: number;
  /** More of them than the project's maxLag. */
  readonly stale?: boolean;
}

/** Rows that a round is trained on. */
export interface LoopRows {
  /** New ones and replayed ones, mixed. */
  readonly rows: readonly LoopRow[];
  readonly fresh: number;
  readonly replayed: number;
  readonly stale: number;
}

/** A round of training: from where, on what. */
export interface TrainRound {
  /** From 1. */
  readonly round: number;
  readonly kinds: readonly ExportKind[];
  readonly training: LoopRows;
  /** Rows of validation prompts, which are never trained on. */
  readonly validation: readonly LoopRow[];
  /** What to start from: the newest policy, or the first one. */
  readonly start: LoopPolicy;
  /** The first policy: what a KL is measured to. */
  readonly trunk: LoopPolicy;
  /** What predicts now; undefined: nothing does. The same start is meant for it. */
  readonly scorer: LoopScorer | undefined;
  /** Prompts of the training split. */
  readonly prompts: readonly FeedbackContent[];
  readonly restart: boolean;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** What a round has made. */
export interface TrainedRound {
  readonly model: string;
  readonly place: string;
  /** Hash of the weights. */
  readonly checkpoint?: string;
  /** Where the scorer of this round is; undefined: as before. */
  readonly scorer?: string;
  /** Nats per answer between the policy and the trunk. */
  readonly kl?: number;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** The work that a loop asks of its program: it trains and generates nothing itself. */
export interface LoopWork {
  /** [prompts][answers]; a prompt may have fewer, and is then left out. */
  generate(request: GenerateAnswers): Promise<readonly (readonly FeedbackAnswer[])[]>;
  /** Undefined: nothing can score yet. */
  score(request: ScoreItems): Promise<ScoredItems | undefined>;
  /** A round of training; what it makes generates and scores from then on. */
  train(request: TrainRound): Promise<TrainedRound>;
}
