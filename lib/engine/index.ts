// Public names of the engine room. Importing it does not load the addon: createEngine does.

export type { CudaDevice, CudaStage, IsaInfo, RefusedDevice } from "./addon-types.js";
export type * from "./contract.js";
export { type Converted, type ConvertOptions, convertModel } from "./convert.js";
export {
  type AddonDescription,
  type BackendInfo,
  createEngine,
  describeAddon,
  type Engine,
  type EngineMemory,
  isas,
  type LoadModelOptions,
  listBackends,
} from "./engine.js";
export type { EngineOptions, Logger } from "./engine-options.js";
export type { ForwardOptions } from "./frozen-model.js";
export type {
  GeneratedChunk,
  GeneratedCompletion,
  GenerateFinish,
  GenerateOptions,
  Prompt,
  Prompts,
} from "./generate.js";
export { BackendLoadError, type LoadAttempt } from "./load-addon.js";
export type { LogprobRow, LogprobsOptions, TextOrIds } from "./logprobs.js";
export { availableMemory, type MemoryNeed, requireMemory } from "./memory.js";
export type { Model, SaveOptions } from "./model.js";
export { isPeftFolder } from "./peft-folder.js";
export type { AllScores, ScoreOptions, ScoreRow } from "./score.js";
export { type AggregateOptions, aggregateScores, type ScoreAggregate } from "./score-aggregate.js";
export { expectScoreHeads } from "./score-head.js";
