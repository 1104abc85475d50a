// The public names of attune, and nothing else. Importing them does not load the addon: createEngine does.

export type { PackedBatch, RowCounts, RowSource } from "./data/index.js";
export * from "./engine/index.js";
export { AttuneError, type ErrorCode, type ErrorDetails, errorCodes } from "./errors/index.js";
export {
  type ChatMessage,
  type ChatTemplate,
  type DecodeOptions,
  type LoadTokenizerOptions,
  loadTokenizer,
  type Tokenizer,
} from "./text/index.js";
export {
  attuneVersion,
  type CheckpointEvent,
  type Clock,
  type DpoMetrics,
  type DpoOptions,
  dpo,
  type EvalEvent,
  type EvalMetrics,
  Run,
  type RunInputs,
  type SampleEvent,
  type SavedEvent,
  type SftMetrics,
  type SftOptions,
  type SharedMetrics,
  type StartEvent,
  type StepEvent,
  sft,
  type TrainEvent,
  type TrainResult,
  type TrainRun,
  type WarningEvent,
} from "./train/index.js";
