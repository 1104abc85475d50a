// Public names of the feedback room: what people say of answers, kept and turned into rows. It needs no addon.

export { type Agreement, type MeasureAgreement, measureAgreement } from "./agreement.js";
export type { EventType, FeedbackEvent } from "./event.js";
export {
  type ConsensusMode,
  consensusModes,
  type ExportedRow,
  type ExportKind,
  type ExportOptions,
  exportKinds,
  exportRows,
} from "./export-rows.js";
export {
  type Ask,
  answer,
  ask,
  content,
  type FeedbackAnswer,
  type FeedbackContent,
  type ItemInput,
  itemInput,
  type JudgementKind,
  type JudgementValue,
  judgementValue,
  type SkipReason,
  skipReasons,
} from "./judgement.js";
export { judgementRate, type Rate, type RateStep, rateSteps } from "./judgement-rate.js";
export {
  type ItemPage,
  itemStates,
  type ListedItem,
  listItems,
  type SaidOfItem,
  saidOfItem,
} from "./list-items.js";
export {
  type ModelRatings,
  type RatedModel,
  rateModels,
  type StyleTerm,
  styleTerms,
} from "./model-ratings.js";
export type { Lease, Submitted } from "./operations/index.js";
export {
  annotatorName,
  guidelinesOf,
  type OwnJudgement,
  type OwnWork,
  ownJudgement,
  ownWork,
  projectNames,
} from "./own-work.js";
export { type PeopleFacts, type PersonFacts, peopleFacts } from "./people.js";
export { type Progress, progressOf } from "./progress.js";
export {
  type ProjectSettings,
  type ProjectSettingsInput,
  projectSettings,
  type SelectorName,
} from "./project-settings.js";
export { type ListedToken, listTokens, type ReadProject, readProject } from "./read-project.js";
export {
  type RaterOptions,
  type SimulatedRater,
  simulatedRater,
} from "./simulated-rater.js";
export { readEvents } from "./store/event-log.js";
export { type OpenStoreOptions, openFeedbackStore } from "./store/open-store.js";
export type { FeedbackStore } from "./store/store.js";
export { type Caller, makeToken, type NewToken, type Role, roles, TokenCheck } from "./tokens.js";
