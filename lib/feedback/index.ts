// Public names of the feedback room: what people say of answers, kept and turned into rows. It needs no addon.

export { type AddManyItems, addItems } from "./add-items.js";
export { type Agreement, type MeasureAgreement, measureAgreement } from "./agreement.js";
export {
  type CapturedAnswer,
  type CapturedChoice,
  type CapturedEdit,
  type CapturedThumb,
  type CaptureThumbs,
  type CaptureThumbsOptions,
  captureThumbs,
} from "./capture.js";
export { type ChangeSettings, changeSettings } from "./change-settings.js";
export type { EventType, FeedbackEvent } from "./event.js";
export { eventTypes } from "./event-types.js";
export {
  type ConsensusMode,
  consensusModes,
  type ExportedRow,
  type ExportKind,
  type ExportOptions,
  exportKinds,
  exportOptions,
  exportRows,
  leftOutItems,
} from "./export-rows.js";
export { pseudonymousEvent } from "./exports/event-pseudonyms.js";
export { pseudonymsOf } from "./exports/pseudonyms.js";
export { type RecordedRows, recordedRows } from "./exports/recorded-rows.js";
export { checkSegmentRow, segmentsOf } from "./exports/segment-rows.js";
export { type WithdrawnJudgement, withdrawnJudgements } from "./exports/withdrawn.js";
export {
  formatNames as importFormatNames,
  type ImportFormat,
  type ImportMapping,
  type ImportOptions,
  importFormats,
  importOptions,
} from "./imports/import-options.js";
export { type ImportReport, type ImportRows, importRows } from "./imports/import-rows.js";
export type { ImportSource } from "./imports/raw-import.js";
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
  type TextAnswer,
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
export { type ExportLog, exportLog } from "./log/export-log.js";
export { type ImportedLog, type ImportLog, importLog } from "./log/import-log.js";
export {
  type AskedPair,
  type GenerateAnswers,
  type GoldContest,
  type LoopError,
  type LoopEvent,
  type LoopLag,
  type LoopPolicy,
  type LoopRound,
  type LoopRow,
  type LoopRows,
  type LoopScorer,
  type LoopStage,
  type LoopStatus,
  type LoopStopped,
  type LoopWork,
  type PredictedGroup,
  type PredictedVotes,
  type Prequential,
  predictedByGroup,
  type RunningLoop,
  type ScoredItems,
  type ScoreItems,
  type StartLoop,
  startLoop,
  type TrainedRound,
  type TrainRound,
} from "./loop/index.js";
export {
  type AnswerContent,
  type ClipContent,
  type ContentInput,
  type ImageContent,
  type KeptClip,
  type KeptImage,
  type ShownContent,
  shownContent,
} from "./media/answer-content.js";
export {
  type AnswerOf,
  answerOfJudgement,
  answerOfLease,
  type Frame,
  type Frames,
  framesOf,
  segmentOf,
} from "./media/read-media.js";
export { type Segment, type SegmentRow, segment, segmentRow } from "./media/segment.js";
export {
  type ModelRatings,
  type RatedModel,
  rateModels,
  type StyleTerm,
  styleTerms,
} from "./model-ratings.js";
export type { Capture, Captured, Lease, Submitted } from "./operations/index.js";
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
export { isPlainText, isStorable } from "./plain-text.js";
export { type Progress, progressOf } from "./progress.js";
export {
  type ProjectSettings,
  type ProjectSettingsInput,
  projectSettings,
  type SelectorName,
} from "./project-settings.js";
export { type ReadItem, type ReadJudgement, readItems, readJudgements } from "./read-judgements.js";
export { type ListedToken, listTokens, type ReadProject, readProject } from "./read-project.js";
export {
  type ItemScores,
  meanProbability,
  pairProbabilities,
  prioritiesOf,
  type ScoredItem,
  type SelectionContext,
  type Selector,
  selectorsByName,
} from "./selection/index.js";
export {
  type RatedContent,
  type RaterOptions,
  type SegmentStep,
  SIMULATED,
  type SimulatedRater,
  simulatedRater,
  worthOfSegments,
} from "./simulated-rater.js";
export { backupEmbeddedStore } from "./store/embedded-store.js";
export { lastSeq, readEvents } from "./store/event-log.js";
export { type OpenStoreOptions, openFeedbackStore } from "./store/open-store.js";
export { type ReadChunk, readChunk } from "./store/read-chunk.js";
export type { FeedbackStore } from "./store/store.js";
export {
  type Caller,
  makeToken,
  type NewToken,
  type Role,
  roles,
  TokenCheck,
  tokenInUse,
} from "./tokens.js";
export type { DeliveryBody } from "./webhooks/delivery-body.js";
export {
  type DeadDelivery,
  deadDeliveries,
  keptWebhooks,
  type ShownWebhook,
  shownWebhook,
} from "./webhooks/kept-webhooks.js";
export { webhookHeaders } from "./webhooks/signature.js";
export { type VerifiedWebhook, type VerifyWebhook, verifyWebhook } from "./webhooks/verify-webhook.js";
export { WebhookSender, type WebhookSenderOptions } from "./webhooks/webhook-sender.js";
