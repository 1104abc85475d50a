// What a loop tells of itself: its state now, rounds, predictions, and events as they happen. Types only.

import type { Interval } from "../../preference/index.js";
import type { LoopPolicy } from "./loop-work.js";

/** What a loop may be at. */
export type LoopStage = "opening" | "predicting" | "training" | "scoring" | "generating";

/** How votes on the random share were predicted before anything was trained on them. */
export interface PredictedVotes {
  /** What predicted; of all together "all". */
  readonly version: string;
  readonly votes: number;
  /** Share of votes that the higher probability was given; half of one where both had 0.5. Ties are not predicted. */
  readonly accuracy: number;
  /** 95%, Wilson's. */
  readonly interval: Interval;
  /** Mean of -log P(what was said), nats. */
  readonly loss: number;
  /** Of the first and of the last vote. */
  readonly from: number;
  readonly until: number;
}

/** How well votes were predicted before anything was trained on them: the headline figure of a loop. */
export interface Prequential {
  readonly all: PredictedVotes | null;
  /** By the one that predicts now. */
  readonly newest: PredictedVotes | null;
  /** In the order in which they came. */
  readonly versions: readonly PredictedVotes[];
}

/** A round that was trained. */
export interface LoopRound {
  readonly round: number;
  readonly policy: string;
  readonly number: number;
  readonly place: string;
  readonly start: string;
  readonly fresh: number;
  readonly replayed: number;
  readonly stale: number;
  readonly kl?: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly ended: number;
}

/** The newest policy beside the best one so far, by people's votes on validation prompts. */
export interface GoldContest {
  readonly policy: string;
  readonly against: string;
  readonly votes: number;
  /** In [-1, 1]: share of wins less that of losses, each vote by the inverse of its propensity; null without votes. */
  readonly difference: number | null;
  /** 95%, of one side. */
  readonly upperBound: number | null;
}

/** How old the answers are that people judge. */
export interface LoopLag {
  /** Of the answers that were judged since the last round: policies that are newer. */
  readonly mean: number | null;
  readonly most: number | null;
  /** Judgements of them that are beyond the project's maxLag. */
  readonly stale: number;
}

/** What failed last in a loop; it tries again. */
export interface LoopError {
  readonly stage: LoopStage;
  readonly code: string;
  readonly message: string;
  readonly time: number;
}

/** Why a loop trains no more. */
export interface LoopStopped {
  readonly reason: "gold" | "kl";
  readonly round: number;
  readonly time: number;
}

/** How a loop is now. */
export interface LoopStatus {
  readonly doing: LoopStage | "waiting" | "ended";
  /** The one whose answers are queued; null before the store was read. */
  readonly policy: LoopPolicy | null;
  readonly rounds: number;
  /** Judgements of training prompts that no round has seen, and how many begin one. */
  readonly waiting: number;
  readonly trainAfter: number;
  /** Open items, and those of the newest policy among them. */
  readonly open: number;
  readonly openOfNewest: number;
  readonly lag: LoopLag;
  readonly prequential: Prequential;
  readonly history: readonly LoopRound[];
  readonly contest: GoldContest | null;
  readonly best: string | null;
  /** Why nothing is trained any more. */
  readonly stopped: LoopStopped | null;
  readonly lastError: LoopError | null;
}

/** What a loop tells while it works. */
export type LoopEvent =
  | { readonly type: "doing"; readonly doing: LoopStatus["doing"] }
  | { readonly type: "predicted"; readonly votes: number; readonly prequential: Prequential }
  | { readonly type: "round"; readonly round: LoopRound }
  | { readonly type: "prioritised"; readonly items: number }
  | { readonly type: "items"; readonly added: number; readonly equal: number; readonly closed: number }
  | { readonly type: "stopped"; readonly stopped: LoopStopped }
  | { readonly type: "error"; readonly error: LoopError };
