// Public names of the train room. Must not import cli, server or feedback.

export { type DpoOptions, dpo } from "./dpo.js";
export type { MetricsSink, OpenMetricsSink, SinkStart, WriteReport } from "./followers.js";
export { type GrpoOptions, grpo } from "./grpo.js";
export { type KtoOptions, kto } from "./kto.js";
export { attuneVersion, machineLine, processorName, versions } from "./machine.js";
export type {
  DpoMetrics,
  EvalMetrics,
  GrpoMetrics,
  KtoMetrics,
  OnlineDpoMetrics,
  OnlineMetrics,
  PpoMetrics,
  RewardMetrics,
  RlooMetrics,
  SftMetrics,
  SharedMetrics,
  TokenMetrics,
} from "./metrics.js";
export type { OnlineInputs } from "./online/online-settings.js";
export { type OnlineDpoOptions, onlineDpo } from "./online-dpo.js";
export { type PpoOptions, ppo } from "./ppo.js";
export { type RewardOptions, reward } from "./reward.js";
export { type RlooOptions, rloo } from "./rloo.js";
export { Run } from "./run.js";
export type { ResumeEntry, RunRecord, RunStatus } from "./run-folder.js";
export type {
  AlarmEvent,
  CheckpointEvent,
  Clock,
  EarlyEnd,
  EvalEvent,
  ProgressEvent,
  RunInputs,
  SampleEvent,
  SavedEvent,
  StartEvent,
  StepEvent,
  TrainEvent,
  TrainResult,
  TrainRun,
  WarningEvent,
} from "./run-types.js";
export type { Sample } from "./samples.js";
export { type ScheduleName, type ScheduleOptions, scheduleMultiplier, warmupSteps } from "./schedule.js";
export { type SftOptions, sft } from "./sft.js";
