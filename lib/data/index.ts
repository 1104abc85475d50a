// Public names of the data room: rows, tokenised rows, orders and packed batches.
// Must not import engine or anything above it: everything here works without the addon.

export { type CheckRowOptions, checkRow } from "./check-row.js";
export { type EncodedRow, type EncodeRowOptions, encodeRow, type Task } from "./encode-row.js";
export { fileFormat } from "./file-format.js";
export { findFiles } from "./find-files.js";
export type { HashedFile } from "./hash-files.js";
export { type ImplicitPromptOptions, type SplitPair, splitImplicitPrompt } from "./implicit-prompt.js";
export { type LoadedRows, type LoadRowsOptions, loadRows } from "./load-rows.js";
export { mergeGroups } from "./merge-groups.js";
export { splitConversations } from "./message-rows.js";
export {
  type EpochOrderOptions,
  epochOrder,
  type StepRows,
  type StepRowsOptions,
  stepRows,
  stepsPerEpoch,
} from "./order.js";
export {
  type PackableRow,
  type PackableRows,
  type PackedBatch,
  type PackedCounts,
  type PackRowsOptions,
  type PackStepOptions,
  packRows,
  packStep,
  targetsOfRow,
  trunkRowsOf,
} from "./pack.js";
export { philox, type RandomStream, randomStreams, seedKey, type Words } from "./philox.js";
export { parseRaw, type RawRow, type RowSource, rowsOfFile } from "./raw-rows.js";
export { readChunks } from "./read-lines.js";
export { type ReadRowsOptions, readRows } from "./read-rows.js";
export { RowColumns } from "./row-columns.js";
export {
  countDropped,
  createRowCounts,
  type DropReason,
  dropReasons,
  noRowsLeft,
  type RowCounts,
  tolerate,
} from "./row-counts.js";
export { groupOfRow, type RowStore, selectRows, sizeOfRow } from "./row-store.js";
export { detectRowType, listColumns } from "./row-type.js";
export type {
  Content,
  PreferenceRow,
  PromptCompletionRow,
  PromptRow,
  RankingRow,
  RatingRow,
  Row,
  RowContent,
  RowFormat,
  RowPlace,
  RowType,
  StepwiseRow,
  TextRow,
  UnpairedRow,
} from "./rows.js";
export { type SplitRows, type SplitRowsOptions, splitRows } from "./split.js";
export { type StartThread, startThread } from "./start-thread.js";
export { defaultTokenCache } from "./token-cache.js";
export {
  acceptedTypes,
  checkTokeniseSettings,
  type TokeniseSettings,
  tokeniseRow,
} from "./tokenise-row.js";
export { type TokeniseRowsOptions, tokeniseRows } from "./tokenise-rows.js";
export type { JudgedPair, RowSize, TokenisedRow, TokenisedRows } from "./tokenised-row.js";
