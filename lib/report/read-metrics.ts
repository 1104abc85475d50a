// Reads metrics.jsonl into columns: training lines by step, evaluation lines without their `eval_`.
// Must not draw anything.

import { join } from "node:path";
import { type JsonObject, readJsonLines } from "./read-lines.js";
import type { MetricColumns } from "./run-data.js";

export interface RunMetrics {
  readonly train: MetricColumns;
  readonly evaluation: MetricColumns;
  readonly badLines: readonly number[];
}

/** Lines of one split while they are read; a step that comes again replaces the earlier one. */
class Columns {
  readonly #lines = new Map<number, JsonObject>();

  add(line: JsonObject): void {
    const step = line.step;
    if (typeof step === "number" && Number.isFinite(step)) this.#lines.set(step, line);
  }

  finish(nameOf: (key: string) => string): MetricColumns {
    const steps = [...this.#lines.keys()].toSorted((a, b) => a - b);
    const values = new Map<string, number[]>();
    const notFinite = new Map<string, number>();
    for (const [i, step] of steps.entries()) {
      for (const [key, value] of Object.entries(this.#lines.get(step) ?? {})) {
        if (key === "step" || key === "split" || !isMeasured(value)) continue;
        const name = nameOf(key);
        const column = values.get(name) ?? new Array<number>(steps.length).fill(Number.NaN);
        values.set(name, column);
        if (typeof value === "number" && Number.isFinite(value)) column[i] = value;
        else notFinite.set(name, (notFinite.get(name) ?? 0) + 1);
      }
    }
    return { steps, values, notFinite };
  }
}

/** A number, or what JSON makes of NaN and infinity. */
function isMeasured(value: unknown): boolean {
  return (
    typeof value === "number" ||
    value === null ||
    value === "NaN" ||
    value === "Infinity" ||
    value === "-Infinity"
  );
}

/** @throws ATTUNE_FILE */
export async function readMetrics(folder: string): Promise<RunMetrics> {
  const train = new Columns();
  const evaluation = new Columns();
  const badLines: number[] = [];
  await readJsonLines({
    file: join(folder, "metrics.jsonl"),
    onLine: (line) => (line.split === "eval" ? evaluation : train).add(line),
    onBadLine: (line) => badLines.push(line),
  });
  return {
    train: train.finish((key) => key),
    evaluation: evaluation.finish((key) => key.replace(/^eval_(?!ms$)/, "")),
    badLines,
  };
}
