// Prompts, a reward that a tiny model learns within a few steps, and what the tests of online trainers compare.
// Must not start a run.

import { expect } from "chai";
import type { RewardFunction } from "../../lib/rollout/index.js";
import { timelessMetrics, weightBytes } from "./same-run.js";

export const prompts = ["a?", "bb?", "ccc?", "d?", "ee?", "fff?"].map((prompt) => ({ prompt }));

/** Share of an answer's tokens with an even id: about a half at the start. */
export const evenness: RewardFunction = (samples) =>
  samples.map(({ completion }) => completion.filter((id) => id % 2 === 0).length / completion.length);

/** Of tiny models, whose answers hardly ever end by themselves. */
export const tinySettings = {
  data: prompts,
  rewards: evenness,
  batchSize: 6,
  maxNewTokens: 8,
  missingEos: "none",
  schedule: "constant",
  threads: 1,
} as const;

/** Train lines of a run without what depends on the clock. */
export function trainLines(output: string): readonly Readonly<Record<string, number>>[] {
  return timelessMetrics(output).filter(({ split }) => split === "train") as Record<string, number>[];
}

/** Mean of a metric over some lines. */
export function meanOver(lines: readonly Readonly<Record<string, number>>[], key: string): number {
  return lines.reduce((sum, line) => sum + (line[key] ?? Number.NaN), 0) / lines.length;
}

/** Holds when two runs differ by rounding only. */
export function expectCloseRuns(output: string, other: string, relative = 1e-5): void {
  const [lines, others] = [trainLines(output), trainLines(other)];
  expect(lines.length).to.equal(others.length).and.to.be.above(0);
  for (const [i, line] of lines.entries()) {
    expect(Object.keys(line)).to.deep.equal(Object.keys(others[i] ?? {}));
    for (const [key, value] of Object.entries(line)) {
      if (key === "split" || key === "tokens_computed") continue;
      const expected = others[i]?.[key] ?? Number.NaN;
      // Losses begin at 0: what is left is the rounding of terms of about 1.
      expect(value, `${key} of step ${i + 1}`).to.be.closeTo(
        expected,
        relative * Math.max(1, Math.abs(expected)),
      );
    }
  }
}

/** Holds when two runs are the same bits. */
export function expectEqualRuns(output: string, other: string): void {
  expect(trainLines(output)).to.deep.equal(trainLines(other));
  expect(weightBytes(output).equals(weightBytes(other)), "the same weights").to.equal(true);
}
