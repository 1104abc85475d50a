// Public names of the preference room: what judgements say. Pure, double precision, no addon.

export { type Candidates, chooseQuestions, type Question, stillBest } from "./asking.js";
export {
  type FeatureMap,
  type FitFeatures,
  featureOf,
  featuresOf,
  fitFeatures,
  projectionOf,
} from "./features.js";
export type { Judgement, Judgements } from "./judgements.js";
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
export type { RandomWords } from "./random-draws.js";
