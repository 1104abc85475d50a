// What answers look like as texts: variety, repetition, openings, lengths. Cheap signs that a policy has collapsed.
// Pure; must not score answers or know a tokenizer.

import { fail } from "../errors/index.js";
import { rankCorrelationOf } from "../preference/index.js";
import type { Answer } from "./answers.js";
import { type MeanWithError, meanWithError } from "./intervals.js";

export interface TextStatisticsInput {
  /** [prompts][samples] */
  readonly answers: readonly (readonly Answer[])[];
  /** [prompts * samples] what each is worth under the reward that is optimised, NaN for unknown: for the correlation with length. */
  readonly scores?: ArrayLike<number>;
}

export interface TextStatistics {
  readonly answers: number;
  /** Tokens, a stop token included. */
  readonly length: MeanWithError;
  /** Share of answers that were cut. */
  readonly missingEos: MeanWithError;
  /**
   * [3] distinct-1, -2, -3: different n-grams of all answers together divided by all of them (Li et al. 2016, arXiv
   * 1510.03055). They fall as answers get more: compare equal numbers of answers. NaN where no answer has n tokens.
   */
  readonly distinct: readonly [number, number, number];
  /** Mean over answers of the share of their 3-grams that stood in the same answer before; 0 of shorter answers. */
  readonly repetition: MeanWithError;
  /** Share of answers that begin with the most frequent first three tokens. */
  readonly repeatedOpening: number;
  /** Share of prompts whose samples are all the same text; of one sample each 1 when all answers are the same, else 0. */
  readonly equalAnswers: number;
  /** Spearman's rank correlation of length and score; undefined without scores, or where all of one are equal. */
  readonly lengthCorrelation: number | undefined;
}

const GRAM = 3;

/** Tokens are ids where answers have them, else words; a stop token is no part of n-grams. */
export function textStatisticsOf({ answers: byPrompt, scores }: TextStatisticsInput): TextStatistics {
  const answers = byPrompt.flat();
  if (answers.length === 0) throw fail("ATTUNE_DATA", "Expected at least one answer but received none.");
  const tokens = answers.map(tokensOf);
  const lengths = answers.map(({ length }) => length);
  const judged = lengths.flatMap((length, i) => {
    const score = scores?.[i] ?? Number.NaN;
    return Number.isNaN(score) ? [] : { length, score };
  });
  const [long, worth] = [judged.map(({ length }) => length), judged.map(({ score }) => score)];
  const correlation = judged.length < 2 ? Number.NaN : rankCorrelationOf(long, worth).spearman;
  return {
    answers: answers.length,
    length: meanWithError(lengths),
    missingEos: meanWithError(answers.map(({ ended }) => (ended ? 0 : 1))),
    distinct: [distinctShare(tokens, 1), distinctShare(tokens, 2), distinctShare(tokens, 3)],
    repetition: meanWithError(tokens.map(repeatedShare)),
    repeatedOpening: repeatedOpening(tokens),
    equalAnswers: equalAnswers(byPrompt),
    lengthCorrelation: Number.isNaN(correlation) ? undefined : correlation,
  };
}

type Tokens = readonly (number | string)[];

function tokensOf({ text, ids, ended }: Answer): Tokens {
  if (ids !== undefined) return Array.from(ended ? ids.subarray(0, -1) : ids);
  return text.split(/\s+/).filter((word) => word !== "");
}

function gramsOf(tokens: Tokens, n: number): readonly string[] {
  return Array.from({ length: Math.max(0, tokens.length - n + 1) }, (_, i) =>
    tokens.slice(i, i + n).join("\n"),
  );
}

function distinctShare(texts: readonly Tokens[], n: number): number {
  const grams = texts.flatMap((tokens) => gramsOf(tokens, n));
  return new Set(grams).size / grams.length;
}

function repeatedShare(tokens: Tokens): number {
  const grams = gramsOf(tokens, GRAM);
  return grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length;
}

function repeatedOpening(texts: readonly Tokens[]): number {
  const counts = new Map<string, number>();
  for (const tokens of texts) {
    const opening = tokens.slice(0, GRAM).join("\n");
    counts.set(opening, (counts.get(opening) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / texts.length;
}

function equalAnswers(byPrompt: readonly (readonly Answer[])[]): number {
  const groups = byPrompt.some(({ length }) => length > 1) ? byPrompt : [byPrompt.flat()];
  const equal = groups.filter(
    (group) => group.length > 1 && new Set(group.map(({ text }) => text)).size === 1,
  );
  return equal.length / groups.length;
}
