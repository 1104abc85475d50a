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
export { meanLoss } from "./measure.js";
export { type ToyFiles, type ToyPrompts, toyFiles, writeToyWorld } from "./quickstart/files.js";
export {
  type QuickstartOptions,
  type QuickstartResult,
  type QuickstartStage,
  quickstart,
} from "./quickstart/quickstart.js";
export { generation, runSettings, sizes } from "./quickstart/settings.js";
export {
  askAnnotators,
  dpoStage,
  grpoStage,
  imitate,
  ktoStage,
  learnReward,
  ppoStage,
  pretrain,
  rlooStage,
  type ToyLab,
} from "./quickstart/stages.js";
export { type PolicyRow, PolicyTable } from "./quickstart/table.js";
export { type TinyModelOptions, writeTinyModel } from "./tiny-model.js";
export { type ShopAnswer, type TrueReward, trueReward, trueRewards, trueScores } from "./true-reward.js";
