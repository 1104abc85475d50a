// Hands the metrics of a run, and its folder at the end, to functions that were passed in. What they throw is told as a
// warning and never ends a run. Must not know what they do with it.

import { reasonOf } from "../errors/index.js";

/** Takes every line of metrics.jsonl as it is written. */
export interface MetricsSink {
  write(line: Readonly<Record<string, unknown>>): void;
  close(): void;
}

export interface SinkStart {
  /** The run's folder. */
  readonly folder: string;
  /** The step of the checkpoint that the run continues from: later lines are written anew. */
  readonly resumedFrom: number | undefined;
}

export type OpenMetricsSink = (start: SinkStart) => MetricsSink;

type Warn = (message: string) => void;

/** The sink behind a guard: it is closed at its first error, and told no more. */
export function guardedSink(open: OpenMetricsSink | undefined, start: SinkStart, warn: Warn): MetricsSink {
  let sink: MetricsSink | undefined;
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      sink = undefined;
      warn(`The metrics go to metrics.jsonl only from here on: ${reasonOf(error)}`);
    }
  };
  guarded(() => {
    sink = open?.(start);
  });
  return {
    write: (line) => guarded(() => sink?.write(line)),
    close: () => guarded(() => sink?.close()),
  };
}

/** Called with the folder of a run that ended, however it ended. */
export type WriteReport = (folder: string) => Promise<unknown>;

export async function guardedReport(
  report: WriteReport | undefined,
  folder: string,
  warn: Warn,
): Promise<void> {
  try {
    await report?.(folder);
  } catch (error) {
    warn(`The report was not written (attune report ${folder} tries again): ${reasonOf(error)}`);
  }
}
