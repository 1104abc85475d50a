// Public names of the data room: rows, tokenised rows, orders and packed batches.
// Must not import engine or anything above it: everything here works without the addon.

export { type ImplicitPromptOptions, type SplitPair, splitImplicitPrompt } from "./implicit-prompt.js";
export { acceptedTypes, type LoadedRows, type LoadRowsOptions, loadRows } from "./load-rows.js";
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
  type PackedBatch,
  type PackedCounts,
  type PackRowsOptions,
  type PackStepOptions,
  packRows,
  packStep,
  trunkRowsOf,
} from "./pack.js";
export { philox, type RandomStream, randomStreams, seedKey, type Words } from "./philox.js";
export { type ReadRowsOptions, type RowSource, readRows } from "./read-rows.js";
export { createRowCounts, type DropReason, dropReasons, noRowsLeft, type RowCounts } from "./row-counts.js";
export type { PreferenceRow, PromptCompletionRow, Row, RowPlace, RowType, TextRow } from "./rows.js";
export { type Task, type TokenisedRow, type TokeniseRowsOptions, tokeniseRows } from "./tokenise-rows.js";
