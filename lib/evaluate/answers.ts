// Answers to prompts, sampled from a model or given, and how they are handed to a scorer.
// Must not score: a scorer is a function passed in.

import type { GenerateOptions, JobOptions, Model, Prompt } from "../engine/index.js";
import { fail } from "../errors/index.js";

export interface Answer {
  /** Without the stop token. */
  readonly text: string;
  /** Token ids, the stop token included where there was one; absent where an answer came as text. */
  readonly ids?: Int32Array;
  /** Tokens of the model that wrote it, or of whoever counted. */
  readonly length: number;
  /** It ended by itself; false: it was cut at `maxNewTokens`. */
  readonly ended: boolean;
}

export interface AnsweredPrompt {
  readonly prompt: Prompt;
  readonly answer: Answer;
}

/** One score per row; the higher the better. */
export type ScoreAnswers = (
  rows: readonly AnsweredPrompt[],
  job: JobOptions,
) => Promise<ArrayLike<number>> | ArrayLike<number>;

/** How answers are sampled. */
export type AnswerOptions = Omit<GenerateOptions, "samples" | "seed" | "step" | "signal">;

/** What can write answers. */
export type Writer = Pick<Model, "generate">;

export interface SampleAnswersOptions extends JobOptions {
  readonly model: Writer;
  readonly prompts: readonly Prompt[];
  /** Answers of each prompt. Default 1. */
  readonly samples?: number;
  /** 64 bits. Default 0. */
  readonly seed?: number | bigint;
  readonly generation?: AnswerOptions;
  /** Told the share of answers that have ended. */
  readonly onProgress?: (fraction: number) => void;
}

interface Draft {
  text: string;
  readonly ids: number[];
  ended: boolean;
}

/** [prompts][samples] answers. */
export async function sampleAnswers(options: SampleAnswersOptions): Promise<Answer[][]> {
  const { model, prompts, samples = 1, seed = 0, generation = {}, signal, onProgress } = options;
  if (prompts.length === 0) throw fail("ATTUNE_NO_ROWS", "Expected at least one prompt but received none.");
  const drafts = prompts.map(() =>
    Array.from({ length: samples }, (): Draft => ({ text: "", ids: [], ended: false })),
  );
  let finished = 0;
  const job = signal === undefined ? {} : { signal };
  for await (const chunk of model.generate(prompts, { ...generation, samples, seed, ...job })) {
    const draft = drafts[chunk.prompt]?.[chunk.sample];
    if (draft === undefined) throw fail("ATTUNE_INTERNAL", `No answer ${chunk.prompt}, ${chunk.sample}.`);
    draft.text += chunk.text;
    draft.ids.push(...chunk.ids);
    if (chunk.finish === undefined) continue;
    draft.ended = chunk.finish !== "length";
    finished += 1;
    onProgress?.(finished / (prompts.length * samples));
  }
  return drafts.map((list) =>
    list.map(({ text, ids, ended }) => ({ text, ids: Int32Array.from(ids), length: ids.length, ended })),
  );
}

/** Calls the scorer and holds what it gives against what was asked. Throws ATTUNE_NOT_FINITE, ATTUNE_SHAPE. */
export async function scoreAll(
  score: ScoreAnswers,
  rows: readonly AnsweredPrompt[],
  { signal }: JobOptions,
): Promise<Float64Array> {
  signal?.throwIfAborted();
  const scores = Float64Array.from(await score(rows, signal === undefined ? {} : { signal }));
  if (scores.length !== rows.length) {
    const text = `Expected one score for each of ${rows.length} answers but received ${scores.length}.`;
    throw fail("ATTUNE_SHAPE", text);
  }
  const wrong = scores.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    const text = `Expected finite scores but answer ${wrong} has ${scores[wrong]}. Check the reward model.`;
    throw fail("ATTUNE_NOT_FINITE", text);
  }
  return scores;
}
