// Which pairs of answers to ask people about: those that may hold the best answer and are least certain
// (after Pacchiano, Saha, Lee 2023, arXiv 2111.04850). Pure; must not ask anybody.

import { fail } from "../errors/index.js";
import { type LinearBound, meanScore, width, withPair } from "./linear-bound.js";

/** Answers to one prompt. */
export interface Candidates {
  /** [answers] features of each, [size]. */
  readonly features: readonly Float64Array[];
}

export interface Question {
  /** Position of the prompt among the candidates. */
  readonly prompt: number;
  /** Positions of two of its answers. */
  readonly pair: readonly [number, number];
  /** Of their difference, when it was chosen. */
  readonly width: number;
}

/** Answers that may still be the best: theta . (a - b) + width(a - b) >= 0 against every other b. Never empty. */
export function stillBest(bound: LinearBound, features: readonly Float64Array[]): readonly number[] {
  return features.flatMap((a, answer) => {
    const beaten = features.some((b, other) => {
      if (other === answer) return false;
      const v = minus(a, b);
      return meanScore(bound, v) + width(bound, v) < 0;
    });
    return beaten ? [] : [answer];
  });
}

/**
 * Up to `count` questions, the widest kept pair first. Each is added to the bound as if it had been answered, so that the
 * next one looks elsewhere. Prompts of which one answer is left are not asked about.
 */
export function chooseQuestions(
  bound: LinearBound,
  candidates: readonly Candidates[],
  count: number,
): readonly Question[] {
  if (!Number.isInteger(count) || count < 1)
    throw fail(
      "ATTUNE_OPTION",
      `Expected the number of questions to be a whole number >= 1 but received ${count}.`,
    );
  const open = candidates.flatMap(({ features }, prompt) => pairsOf(bound, features, prompt));
  const questions: Question[] = [];
  let current = bound;
  while (questions.length < count) {
    let best: (OpenPair & { readonly width: number }) | undefined;
    for (const one of open) {
      const wide = width(current, one.difference);
      if (wide > (best?.width ?? 0)) best = { ...one, width: wide };
    }
    if (best === undefined) break;
    const { prompt, pair, difference, width: widest } = best;
    questions.push({ prompt, pair, width: widest });
    open.splice(
      open.findIndex((one) => one.difference === difference),
      1,
    );
    current = withPair(current, difference);
  }
  return questions;
}

interface OpenPair {
  readonly prompt: number;
  readonly pair: readonly [number, number];
  readonly difference: Float64Array;
}

function pairsOf(bound: LinearBound, features: readonly Float64Array[], prompt: number): OpenPair[] {
  const kept = stillBest(bound, features);
  return kept.flatMap((first, i) =>
    kept.slice(i + 1).flatMap((second) => {
      const [a, b] = [features[first], features[second]];
      return a === undefined || b === undefined
        ? []
        : [{ prompt, pair: [first, second] as const, difference: minus(a, b) }];
    }),
  );
}

function minus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((entry, i) => entry - (b[i] ?? 0));
}
