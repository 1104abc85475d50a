// Runs a generation to its end and gathers what each sequence drew; and the trainer's log-probs of the same tokens.
// Must not check anything.

import { packRows } from "../../lib/data/index.js";
import type { DecodedTokens, FrozenModel, Generation, SamplingOptions } from "../../lib/engine/contract.js";

export interface SampledSequence {
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly modelLogprobs: number[];
  finished: number;
}

export interface Sampled {
  readonly sequences: readonly SampledSequence[];
  /** Calls of next() that gave tokens. */
  readonly steps: number;
  readonly trunkRows: number;
  readonly weightPasses: number;
}

export interface SampleAllOptions {
  readonly model: Pick<FrozenModel, "startGeneration">;
  readonly prompts: readonly Int32Array[];
  readonly options: SamplingOptions;
  /** Called before every step. */
  readonly beforeStep?: (step: number, generation: Generation) => Promise<void>;
}

export async function sampleAll({ model, prompts, options, beforeStep }: SampleAllOptions): Promise<Sampled> {
  const generation = await model.startGeneration(prompts, options);
  const sequences = emptySequences(prompts.length * (options.samples ?? 1));
  let steps = 0;
  try {
    for (;;) {
      await beforeStep?.(steps, generation);
      const decoded = await generation.next();
      if (decoded === undefined) break;
      steps += 1;
      addStep(sequences, decoded);
    }
    return { sequences, steps, ...generation.counts };
  } finally {
    await generation.dispose();
  }
}

export function emptySequences(count: number): SampledSequence[] {
  return Array.from({ length: count }, () => ({ tokens: [], logprobs: [], modelLogprobs: [], finished: 0 }));
}

export function addStep(sequences: readonly SampledSequence[], decoded: DecodedTokens): void {
  for (const [i, number] of decoded.sequences.entries()) {
    const sequence = sequences[number];
    if (sequence === undefined) throw new Error(`sequence ${number} does not exist`);
    if (sequence.finished !== 0) throw new Error(`sequence ${number} goes on after its end`);
    sequence.tokens.push(decoded.tokens[i] ?? -1);
    sequence.logprobs.push(decoded.logprobs[i] ?? Number.NaN);
    sequence.modelLogprobs.push(decoded.modelLogprobs[i] ?? Number.NaN);
    sequence.finished = decoded.finished[i] ?? -1;
  }
}

export interface TrainerLogprobsOptions {
  readonly model: Pick<FrozenModel, "forward">;
  readonly prompts: readonly Int32Array[];
  readonly sampled: Sampled;
  readonly samples?: number;
  readonly temperature?: number;
}

/** Log-probs of all sequences' tokens from one packed forward pass, one behind the other. */
export async function trainerLogprobs(request: TrainerLogprobsOptions): Promise<Float32Array> {
  const { model, prompts, sampled, samples = 1, temperature = 1 } = request;
  const data = prompts.map((prompt, index) => ({
    prompt,
    completions: sampled.sequences
      .slice(index * samples, (index + 1) * samples)
      .map(({ tokens }) => Int32Array.from(tokens)),
  }));
  const { logprobs } = await model.forward(packRows({ data, rows: data.map((_, row) => row) }), {
    temperature,
  });
  return logprobs;
}

/** `count` prompts of the given lengths, the ids below `vocabulary`. */
export function promptsOf(lengths: readonly number[], vocabulary = 250): Int32Array[] {
  return lengths.map((length, row) =>
    Int32Array.from({ length }, (_, i) => (31 * i + 17 * row + ((i * i) % 11)) % vocabulary),
  );
}
