// Public names of the toy world. Only the command line imports it.

export {
  type Annotator,
  type AnnotatorOptions,
  type AnsweredQuestion,
  annotators,
  impression,
  type JudgedPair,
  type JudgedPairs,
  type JudgedRanking,
  type JudgedThumb,
  type JudgeOptions,
  judgePairs,
  judgeRankings,
  judgeThumbs,
} from "./annotators.js";
export {
  cornerShop,
  type Demonstration,
  type Pair,
  type ShopOptions,
  type ShopRows,
  type ShopText,
  shopDemonstrations,
  shopPrompts,
  shopTexts,
} from "./corner-shop.js";
export { kindWords, vocabulary } from "./grammar.js";
export { demonstrationLoss, pairAccuracy } from "./measure.js";
export { type QuickstartOptions, type QuickstartResult, quickstart } from "./quickstart.js";
export { type TinyModelOptions, writeTinyModel } from "./tiny-model.js";
export { type ShopAnswer, type TrueReward, trueReward, trueScores } from "./true-reward.js";
