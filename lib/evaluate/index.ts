// Public names of the evaluation room. Must not import train or anything above it.

export {
  type BoundScore,
  boundScores,
  type Confidence,
  confident,
  type RewardBound,
  type RowBoundScores,
  type ScoreWithBound,
  type StatesModel,
} from "../rollout/index.js";
export {
  type Answer,
  type AnsweredPrompt,
  type AnswerOptions,
  type SampleAnswersOptions,
  type ScoreAnswers,
  sampleAnswers,
  type Writer,
} from "./answers.js";
export {
  type BestAnswer,
  type BestOfN,
  type BestOfNCurveInput,
  type BestOfNOptions,
  type BestOfNPoint,
  type BestOfNValueInput,
  bestOfN,
  bestOfNCurve,
  bestOfNKl,
  bestOfNValue,
  type ExpectedScore,
} from "./best-of-n.js";
export { boundText, readBound } from "./bound-file.js";
export {
  type Calibration,
  type CalibrationBin,
  type CalibrationInput,
  calibrationOf,
  type PairCalibrationInput,
  pairCalibrationOf,
} from "./calibration.js";
export {
  type EvaluatedModel,
  type EvaluateModelOptions,
  type Evaluation,
  type EvaluationProgress,
  evaluateModel,
  type ScoredRowsOptions,
  scoredRows,
} from "./evaluate-model.js";
export type { EvaluatedRow, EvaluationMetrics, LogprobMetrics, ScoredBy } from "./evaluated-row.js";
export {
  bestOfNJson,
  evaluationJson,
  rowJson,
  sampledKlJson,
  winRateJson,
} from "./evaluation-json.js";
export {
  type EvaluationRows,
  type OpenEvaluationRows,
  openEvaluationRows,
  type RowColumns,
} from "./evaluation-rows.js";
export {
  type AnswerScorer,
  answerScorer,
  type BoundAnswerScorer,
  boundAnswerScorer,
  type GeneratedPrompts,
  type PromptsOfRows,
  promptContents,
  promptsOfRows,
} from "./generated.js";
export {
  type BootstrapInput,
  bootstrapMeans,
  type MeanWithError,
  meanWithError,
  normalQuantile,
  standardDistance,
} from "./intervals.js";
export {
  type JudgedKind,
  type JudgedMetrics,
  type JudgedMetricsOptions,
  type JudgedRow,
  judgedMetricsOf,
  type PairMetrics,
  type RankingMetrics,
  type RatingMetrics,
  type ScoreMetrics,
  type ThumbMetrics,
} from "./judged-metrics.js";
export {
  type KlSummary,
  type KlToReference,
  type KlToReferenceOptions,
  klOnSamples,
  klToReference,
  type SampledKl,
  type SampledKlOptions,
} from "./kl.js";
export {
  type OverOptimisationMetrics,
  overOptimisationMetrics,
  type WatchedStep,
  type WatchInput,
  watchedStep,
} from "./over-optimisation.js";
export {
  type Alarm,
  type AlarmName,
  type AlarmsOptions,
  type AlarmsState,
  alarmThresholds,
  OverOptimisationAlarms,
} from "./over-optimisation-alarms.js";
export {
  type Estimate,
  type FitGoldCurveInput,
  fitGoldCurve,
  type GoldCurve,
  type GoldPeak,
  type GoldPoint,
  goldCurveAt,
  type OverOptimisationMethod,
  peakOf,
} from "./over-optimisation-curve.js";
export {
  type GoldEvaluation,
  OverOptimisationStop,
  type StopDecision,
  type StopReason,
  type StopRuleOptions,
  type StopRuleState,
} from "./over-optimisation-stop.js";
export {
  type BoundCoverage,
  type BoundPair,
  boundCoverage,
  type FitRewardBound,
  fitRewardBound,
} from "./reward-bound.js";
export { type Slice, type SliceOptions, type SliceRow, type Slicing, sliceRows } from "./slices.js";
export { type TextStatistics, type TextStatisticsInput, textStatisticsOf } from "./text-statistics.js";
export { type TokenMetrics, type TokenSums, tokenMetricsOf } from "./token-metrics.js";
export {
  type AnsweringSide,
  type CompareScoresInput,
  compareScores,
  type ScoreComparison,
  type WinRate,
  type WinRateOptions,
  winRate,
} from "./win-rate.js";
