// Public names of the live loop.

export type { RunningLoop, StartLoop } from "./loop-options.js";
export type {
  GoldContest,
  LoopError,
  LoopEvent,
  LoopLag,
  LoopRound,
  LoopStage,
  LoopStatus,
  LoopStopped,
  PredictedVotes,
  Prequential,
} from "./loop-status.js";
export type {
  AskedPair,
  GenerateAnswers,
  LoopPolicy,
  LoopRow,
  LoopRows,
  LoopScorer,
  LoopWork,
  ScoredItems,
  ScoreItems,
  TrainedRound,
  TrainRound,
} from "./loop-work.js";
export { type PredictedGroup, predictedByGroup } from "./prequential.js";
export { startLoop } from "./training-loop.js";
