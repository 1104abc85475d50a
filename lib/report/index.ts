// Public names of the report room. Must not import any room above data.

export { metricDescriptions } from "./metric-descriptions.js";
export type { RunData } from "./run-data.js";
export {
  type TensorboardOptions,
  type TensorboardSink,
  type TensorboardStart,
  tensorboardSink,
} from "./tensorboard-sink.js";
export { type WriteReportOptions, type WrittenReport, writeReport, writeRunReport } from "./write-report.js";
