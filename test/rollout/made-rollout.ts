// A rollout made of given numbers, for tests of what does not sample. Must not be fed to a model.

import { type Rollout, startsOf } from "../../lib/rollout/index.js";

export interface MadeRolloutOptions {
  readonly number?: number;
  readonly policyStep?: number;
  /** Default [3, 1, 2, 4]: two prompts with two samples. */
  readonly lengths?: readonly number[];
}

export function madeRollout(options: MadeRolloutOptions = {}): Rollout {
  const { number = 0, policyStep = 0, lengths = [3, 1, 2, 4] } = options;
  const starts = startsOf(lengths);
  const tokens = starts.at(-1) ?? 0;
  const floats = (scale: number) =>
    Float32Array.from({ length: tokens }, (_, i) => -Math.abs(Math.sin(i + scale)));
  return {
    number,
    seed: 2n ** 64n - 3n,
    policyStep,
    temperature: 0.7,
    maxNewTokens: 4,
    samples: 2,
    promptRows: Int32Array.of(5, 2),
    promptStarts: Int32Array.of(0, 2, 5),
    promptTokens: Int32Array.of(1, 2, 3, 4, 5),
    starts,
    tokens: Int32Array.from({ length: tokens }, (_, i) => 10 * number + i),
    finish: Uint8Array.from(lengths, (length) => (length === 4 ? 2 : 1)),
    logprobs: floats(0),
    referenceLogprobs: floats(1),
    values: floats(2),
    scores: Float64Array.of(0.1, Number.NaN, -3, 1 / 3),
    sources: [
      { name: "reward model", weight: 0.3, scores: Float64Array.of(1, 2, 3, 4) },
      { name: 'judge "β"', weight: -1e-3, scores: Float64Array.of(0.5, Number.NaN, 1e300, -0) },
    ],
  };
}
