// Compares two runs: their metrics but for times and memory, and their models byte for byte. Must not start a run.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

/** Metrics that depend on time and memory, not on the mathematics. */
const timed: ReadonlySet<string> = new Set([
  "step_ms",
  "tokens_per_second",
  "peak_rss_bytes",
  "eval_ms",
  "time/rollout_ms",
  "time/scoring_ms",
  "time/update_ms",
]);

/** The lines of an output's metrics.jsonl without what depends on the clock. */
export function timelessMetrics(output: string): readonly Record<string, unknown>[] {
  const text = readFileSync(join(output, "metrics.jsonl"), "utf8");
  expect(text.endsWith("\n"), "ends with a whole line").to.equal(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map((line) => Object.fromEntries(Object.entries(line).filter(([key]) => !timed.has(key))));
}

/** Bytes of the trained weights: those of a model or of an adapter. */
export function weightBytes(output: string): Buffer {
  const names = ["model.safetensors", "adapter_model.safetensors"].map((name) => join(output, "model", name));
  const found = names.find((name) => existsSync(name));
  if (found === undefined) throw new Error(`no weights in ${output}`);
  return readFileSync(found);
}

/** Holds when nobody can tell which of the two was interrupted. */
export function expectSameRun(output: string, undisturbed: string): void {
  const lines = timelessMetrics(undisturbed);
  expect(lines.length, "metrics lines").to.be.above(0);
  expect(timelessMetrics(output)).to.deep.equal(lines);
  expect(weightBytes(output).equals(weightBytes(undisturbed)), "the same weights").to.equal(true);
}
