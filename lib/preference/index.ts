// Public names of the preference room: what judgements say. Pure, double precision, no addon.

export { type AlphaInterval, alphaInterval } from "./alpha-interval.js";
export { type Candidates, chooseQuestions, type Question, stillBest } from "./asking.js";
export {
  type BradleyTerry,
  eloScale,
  type FitBradleyTerry,
  fitBradleyTerry,
  type Game,
  type GameTerm,
} from "./bradley-terry.js";
export {
  type Consensus,
  type ConsensusOptions,
  consensusOf,
  evidenceOf,
  type PairVote,
} from "./consensus.js";
export { type AveragedElo, averagedElo, type EloGame, type EloOptions, eloRatings } from "./elo.js";
export {
  type FeatureMap,
  type FitFeatures,
  featureOf,
  featuresOf,
  fitFeatures,
  projectionOf,
} from "./features.js";
export { type Fragility, type FragilityOptions, fragilityOf } from "./fragility.js";
export { groupedBy } from "./grouped.js";
export { type Interval, middle95, type WilsonInput, wilsonInterval } from "./intervals.js";
export type { Judgement, Judgements } from "./judgements.js";
export { type CohenOptions, cohenKappa, fleissKappa } from "./kappa.js";
export { type Alpha, type KrippendorffOptions, krippendorffAlpha, type Level } from "./krippendorff.js";
export {
  type BoundFactor,
  boundFactor,
  covarianceOf,
  type FitLinearBound,
  fitLinearBound,
  type Kappa,
  type LinearBound,
  meanScore,
  optimistic,
  pessimistic,
  width,
  withPair,
  worstParameters,
} from "./linear-bound.js";
export { type FitLinearReward, fitLinearReward, type LinearReward, meanLoss } from "./linear-reward.js";
export {
  type FitPlackettLuce,
  fitPlackettLuce,
  type PlackettLuce,
  type RankedItems,
} from "./plackett-luce.js";
export type { RandomWords } from "./random-draws.js";
export { type RankCorrelation, rankCorrelationOf, ranksOf } from "./rank-correlation.js";
export {
  groupsOf,
  type RatedItem,
  type RatedItems,
  type RateItems,
  rateItems,
  type SideBias,
} from "./rated-items.js";
export {
  type RankingVote,
  type RatedRankings,
  type RateRankings,
  rateRankings,
} from "./rated-rankings.js";
export { type FitSideBiases, fitSideBiases, type SideBiases } from "./side-bias.js";
export type { Vote } from "./votes.js";
