// A rollout: answers that a policy sampled, with all that an update needs, as arrays over prompts, samples and tokens.
// Numbers only, so that it can be written to disk and read back bit for bit (rollout-file.ts).

import type { PackableRow, PackableRows, PackedBatch } from "../data/index.js";
import type { Numbers } from "./sequences.js";

/** Why an answer ended; the numbers of `SampledRollout.finish`. */
export const finishCodes = {
  /** A stop token, which is the answer's last token. */
  stop: 1,
  /** `maxNewTokens` */
  length: 2,
  /** The model's positions were used up. */
  positions: 3,
} as const;

/** A rollout before its answers are scored. */
export interface SampledRollout {
  /** Of the rollout in its run, from 0: the `step` of every draw of the sampler. */
  readonly number: number;
  /** 64 bits. Token t of sample i is drawn by Philox(seed; stream sample, number, i, t). */
  readonly seed: bigint;
  /** Optimiser steps that the policy had taken when it was sampled. */
  readonly policyStep: number;
  /** Divided the logits, as it must in every later pass. */
  readonly temperature: number;
  readonly maxNewTokens: number;
  /** Samples of each prompt; sample i belongs to prompt floor(i / samples). */
  readonly samples: number;
  /** [prompts] number of each prompt's row over all files. */
  readonly promptRows: Int32Array;
  /** [prompts + 1], into `promptTokens`. */
  readonly promptStarts: Int32Array;
  readonly promptTokens: Int32Array;
  /** [prompts * samples + 1], into all arrays over tokens. */
  readonly starts: Int32Array;
  /** [tokens] of the answers, the stop token included where there is one. */
  readonly tokens: Int32Array;
  /** [prompts * samples] see `finishCodes`. */
  readonly finish: Uint8Array;
  /** [tokens] log pi_old at the temperature, nats: the bits of the trainer's forward pass. */
  readonly logprobs: Float32Array;
  /** [tokens] log pi_ref at the temperature, nats; absent without a reference. */
  readonly referenceLogprobs?: Float32Array;
  /** [tokens] KL(pi_old || pi_ref) over the whole vocabulary, nats; where it was asked for. */
  readonly exactKl?: Float32Array;
  /** [tokens] V_t, read at the position that predicts y_t; absent without a value model. */
  readonly values?: Float32Array;
}

/** The scores of one source beside their weighted sum. */
export interface SourceScores {
  readonly name: string;
  readonly weight: number;
  /** [prompts * samples] NaN: the source gave this sample no reward. */
  readonly scores: Float64Array;
}

export interface Rollout extends SampledRollout {
  /** [prompts * samples] weighted sum over the sources that gave a reward; NaN: none of them did. */
  readonly scores: Float64Array;
  readonly sources: readonly SourceScores[];
}

/** [samples] 1 where an answer ended with a stop token. */
export function endedOf({ finish }: Pick<SampledRollout, "finish">): Uint8Array {
  return finish.map((code) => (code === finishCodes.stop ? 1 : 0));
}

type Tokens = Pick<
  SampledRollout,
  "samples" | "promptStarts" | "promptTokens" | "starts" | "tokens" | "finish"
>;

/** Views of one sample's ids. */
export function sampleIds(
  rollout: Tokens,
  sample: number,
): { readonly prompt: Int32Array; readonly completion: Int32Array } {
  const { samples, promptStarts, promptTokens, starts, tokens } = rollout;
  const prompt = Math.floor(sample / samples);
  return {
    prompt: promptTokens.subarray(promptStarts[prompt], promptStarts[prompt + 1]),
    completion: tokens.subarray(starts[sample], starts[sample + 1]),
  };
}

/** A row per sample, for `packStep` with `sharePrompts`: samples of one prompt then share its segment. */
export function rolloutRows(rollout: Tokens): PackableRows {
  const { length } = rollout.finish;
  return {
    length,
    at(sample): PackableRow | undefined {
      if (!(sample >= 0 && sample < length)) return undefined;
      const { prompt, completion } = sampleIds(rollout, sample);
      return { prompt, completions: [completion] };
    },
  };
}

/** [targets of a batch of `rolloutRows`] the values of its tokens out of [tokens of the rollout]. */
export function valuesOfTargets(batch: PackedBatch, starts: Int32Array, values: Numbers): Float64Array {
  const gathered = new Float64Array(batch.counts.targets);
  eachTarget(batch, starts, (target, token) => {
    gathered[target] = values[token] ?? Number.NaN;
  });
  return gathered;
}

/** Puts [targets of a batch of `rolloutRows`] where their tokens are in [tokens of the rollout]. */
export function placeTargets(
  batch: PackedBatch,
  starts: Int32Array,
  { from, into }: { readonly from: Numbers; readonly into: Float32Array | Float64Array },
): void {
  eachTarget(batch, starts, (target, token) => {
    into[token] = from[target] ?? Number.NaN;
  });
}

/** A row of the batch has one answer, whose targets stand in the order of its tokens. */
function eachTarget(
  { rows, completions }: PackedBatch,
  starts: Int32Array,
  visit: (target: number, token: number) => void,
): void {
  for (const [group, sample] of rows.entries()) {
    const [first, count, token] = [
      completions[2 * group] ?? 0,
      completions[2 * group + 1] ?? 0,
      starts[sample] ?? 0,
    ];
    for (let i = 0; i < count; i++) visit(first + i, token + i);
  }
}
