// Public names of the rollout room: sampling, rewards, and the arithmetic between them and a loss.
// Must not import train or anything above it.

export {
  type Advantages,
  type GeneralisedAdvantages,
  generalisedAdvantages,
  type SequenceAdvantages,
  sequenceAdvantages,
  stalenessWeights,
  type TokenAdvantages,
} from "./advantages.js";
export {
  type BoundScore,
  boundScores,
  type Confidence,
  confident,
  lastStates,
  probeOf,
  type RewardBound,
  type RowBoundScores,
  type ScoreWithBound,
  type StatesModel,
} from "./bound-scores.js";
export { type CollectRollout, collectRollout } from "./collect-rollout.js";
export { type GivenAnswers, rolloutOfAnswers } from "./given-answers.js";
export {
  type GroupRewards,
  type GroupScale,
  groupAdvantages,
  leaveOneOutAdvantages,
} from "./group-advantages.js";
export {
  type ControlKl,
  controlKl,
  type KlController,
  type KlEstimator,
  meanAnswerKl,
  type TokenKl,
  tokenKl,
} from "./kl-penalty.js";
export { type Minibatch, type MinibatchOptions, minibatchesOf } from "./minibatches.js";
export {
  logprobsOfRollout,
  type ModelPasses,
  type RolloutLogprobs,
  type RolloutProgress,
  type ValueModel,
} from "./model-passes.js";
export { type AnswerToScore, headCombiner, scoreRow } from "./reward-models.js";
export type {
  RewardBoundSource,
  RewardContext,
  RewardFunction,
  RewardFunctionSource,
  RewardModelSource,
  RewardSample,
  RewardScores,
  RewardSource,
} from "./reward-source.js";
export {
  endedOf,
  finishCodes,
  placeTargets,
  type Rollout,
  rolloutRows,
  type SampledRollout,
  type SourceScores,
  sampleIds,
  valuesOfTargets,
} from "./rollout.js";
export { readRollout, replayRollouts, rolloutFiles, rolloutPath, writeRollout } from "./rollout-file.js";
export {
  type CompletionMetrics,
  completionMetrics,
  type ObjectiveInput,
  type ObjectiveMetrics,
  objectiveMetrics,
  type RewardMetrics,
  rewardMetrics,
} from "./rollout-metrics.js";
export {
  type OpenPrompts,
  openPrompts,
  type PromptOrder,
  promptOrder,
  type RolloutPrompt,
  type RolloutPrompts,
} from "./rollout-prompts.js";
export {
  type NextSamples,
  type QueuedRollout,
  RolloutQueue,
  type RolloutQueueOptions,
} from "./rollout-queue.js";
export { type RowBatches, valuesOfRows } from "./row-batches.js";
export { type RolloutSampling, type SampleRollout, sampleRollout } from "./sample-rollout.js";
export { namedSources, type RewardSources, type ScoreRollout, scoreRollout } from "./score-rollout.js";
export {
  clipScores,
  type MissingEosTreatment,
  noMoments,
  normaliseScores,
  type RunningMoments,
  type TreatMissingEos,
  treatMissingEos,
  withScores,
} from "./score-treatment.js";
export { lengthsOf, type Numbers, ofTokens, startsOf, sumsOver } from "./sequences.js";
export { penalisedScores, type TokenRewards, tokenRewards, type Whitening, whiten } from "./token-rewards.js";
