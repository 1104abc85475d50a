// Which of two models answers better under a scorer, on the same prompts, and how sure that is.
// Must not know how scores come about.

import type { JobOptions, Prompt } from "../engine/index.js";
import { fail } from "../errors/index.js";
import { type Interval, wilsonInterval } from "../preference/index.js";
import {
  type Answer,
  type AnsweredPrompt,
  type AnswerOptions,
  type ScoreAnswers,
  sampleAnswers,
  scoreAll,
  type Writer,
} from "./answers.js";
import { bootstrapMeans } from "./intervals.js";

export interface CompareScoresInput {
  /** [prompts] */
  readonly ours: ArrayLike<number>;
  /** [prompts] to the same prompts. */
  readonly theirs: ArrayLike<number>;
  /** Of the bootstrap, 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Default 10,000. */
  readonly draws?: number;
}

export interface ScoreComparison {
  readonly prompts: number;
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
  /** Share won; a tie is half. */
  readonly winRate: number;
  /** Wilson, 95%. */
  readonly winRateInterval: Interval;
  /** Paired bootstrap over prompts, 95%. */
  readonly winRateBootstrap: Interval;
  readonly ourMean: number;
  readonly theirMean: number;
  /** Mean of (ours - theirs). */
  readonly difference: number;
  /** Paired bootstrap over prompts, 95%. */
  readonly differenceInterval: Interval;
}

export function compareScores({ ours, theirs, seed = 0, draws }: CompareScoresInput): ScoreComparison {
  const prompts = ours.length;
  if (prompts === 0 || theirs.length !== prompts) {
    const text = `Expected as many scores on both sides, at least one, but received ${prompts} and ${theirs.length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  const differences = Float64Array.from({ length: prompts }, (_, i) => (ours[i] ?? 0) - (theirs[i] ?? 0));
  const won = differences.map((value) => (value > 0 ? 1 : value < 0 ? 0 : 0.5));
  const wins = won.filter((value) => value === 1).length;
  const ties = won.filter((value) => value === 0.5).length;
  const [winRateBootstrap, differenceInterval] = bootstrapMeans({
    series: [won, differences],
    seed,
    ...(draws === undefined ? {} : { draws }),
  }) as [Interval, Interval];
  return {
    prompts,
    wins,
    ties,
    losses: prompts - wins - ties,
    winRate: mean(won),
    winRateInterval: wilsonInterval({ successes: wins + ties / 2, count: prompts }),
    winRateBootstrap,
    ourMean: mean(ours),
    theirMean: mean(theirs),
    difference: mean(differences),
    differenceInterval,
  };
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum / values.length;
}

export interface WinRateOptions extends JobOptions {
  /** A model that answers, or answers to the prompts. Models draw with the same seed. */
  readonly ours: Writer | readonly Answer[];
  readonly theirs: Writer | readonly Answer[];
  readonly prompts: readonly Prompt[];
  readonly score: ScoreAnswers;
  readonly generation?: AnswerOptions;
  /** Of sampling and of the bootstrap, 64 bits. Default 0. */
  readonly seed?: number | bigint;
  /** Draws of the bootstrap. Default 10,000. */
  readonly draws?: number;
  readonly onProgress?: (fraction: number) => void;
}

export interface AnsweringSide {
  /** [prompts] */
  readonly answers: readonly Answer[];
  readonly scores: Float64Array;
  /** Tokens. */
  readonly meanLength: number;
  /** Share of answers that were cut. */
  readonly cut: number;
}

export interface WinRate extends ScoreComparison {
  readonly ours: AnsweringSide;
  readonly theirs: AnsweringSide;
}

export async function winRate(options: WinRateOptions): Promise<WinRate> {
  const { ours, theirs, onProgress, seed, draws } = options;
  // Sampling one model's answers and scoring both sides count alike.
  const parts = 1 + [ours, theirs].filter(isWriter).length;
  let done = 0;
  const ourSide = await answering(ours, options, (fraction) => onProgress?.((done + fraction) / parts));
  if (isWriter(ours)) done += 1;
  const theirSide = await answering(theirs, options, (fraction) => onProgress?.((done + fraction) / parts));
  const ourScores = await scoreAll(options.score, ourSide, options);
  const theirScores = await scoreAll(options.score, theirSide, options);
  onProgress?.(1);
  return {
    ...compareScores({
      ours: ourScores,
      theirs: theirScores,
      ...(seed === undefined ? {} : { seed }),
      ...(draws === undefined ? {} : { draws }),
    }),
    ours: sideOf(ourSide, ourScores),
    theirs: sideOf(theirSide, theirScores),
  };
}

function isWriter(side: Writer | readonly Answer[]): side is Writer {
  return "generate" in side;
}

async function answering(
  side: Writer | readonly Answer[],
  options: WinRateOptions,
  onProgress: (fraction: number) => void,
): Promise<AnsweredPrompt[]> {
  const { prompts, seed, generation, signal } = options;
  const answers = isWriter(side)
    ? await sampleAnswers({
        model: side,
        prompts,
        onProgress,
        ...(seed === undefined ? {} : { seed }),
        ...(generation === undefined ? {} : { generation }),
        ...(signal === undefined ? {} : { signal }),
      })
    : side.map((answer) => [answer]);
  if (answers.length !== prompts.length) {
    const text = `Expected an answer to each of ${prompts.length} prompts but received ${answers.length}.`;
    throw fail("ATTUNE_DATA", text);
  }
  return prompts.flatMap((prompt, i) => (answers[i] ?? []).map((answer) => ({ prompt, answer })));
}

function sideOf(rows: readonly AnsweredPrompt[], scores: Float64Array): AnsweringSide {
  const answers = rows.map(({ answer }) => answer);
  return {
    answers,
    scores,
    meanLength: mean(answers.map(({ length }) => length)),
    cut: mean(answers.map(({ ended }) => (ended ? 0 : 1))),
  };
}
