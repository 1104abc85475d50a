// The best and the worst answer to each prompt of a scored rollout, as rows that losses of pairs take.
// Must not score answers or compute a loss.

import type { TokenisedRow, TokenisedRows } from "../../data/index.js";
import { type Numbers, type Rollout, sampleIds, sumsOver } from "../../rollout/index.js";

export interface AnswerPairs {
  /** A row per pair: [best, worst]. */
  readonly rows: TokenisedRows;
  /** Prompts whose answers all score the same: nothing says which is better. */
  readonly ties: number;
  /** Prompts with fewer than two scores. */
  readonly unscored: number;
  /** Mean over pairs of the best score minus the worst; undefined without a pair. */
  readonly margin: number | undefined;
}

export interface PairAnswers {
  readonly rollout: Rollout;
  /** [samples] after their treatment; NaN: none. */
  readonly scores: Numbers;
  /** The answers as rows (`answerRows`). */
  readonly data: TokenisedRows;
}

/**
 * Pairs in the order of prompts; among equal scores the first answer counts. Rows bring the reference's summed log-probs along where
 * the rollout has them at temperature 1, at which losses of pairs are computed.
 */
export function answerPairs({ rollout, scores, data }: PairAnswers): AnswerPairs {
  const { samples, starts, referenceLogprobs, temperature } = rollout;
  const reference =
    referenceLogprobs === undefined || temperature !== 1
      ? undefined
      : sumsOver(starts, (token) => referenceLogprobs[token] ?? Number.NaN);
  const rows: TokenisedRow[] = [];
  let [ties, unscored, margins] = [0, 0, 0];
  for (let prompt = 0; prompt < rollout.promptRows.length; prompt++) {
    const scored = Array.from({ length: samples }, (_, i) => {
      const sample = prompt * samples + i;
      return { sample, score: scores[sample] ?? Number.NaN };
    }).filter(({ score }) => !Number.isNaN(score));
    const [first, second] = scored;
    if (first === undefined || second === undefined) {
      unscored += 1;
      continue;
    }
    const best = scored.reduce((kept, one) => (one.score > kept.score ? one : kept));
    const worst = scored.reduce((kept, one) => (one.score < kept.score ? one : kept));
    if (best.score === worst.score) {
      ties += 1;
      continue;
    }
    margins += best.score - worst.score;
    const sides = [best.sample, worst.sample];
    const row = data.at(best.sample);
    if (row === undefined) throw new RangeError(`no answer ${best.sample}`);
    rows.push({
      ...row,
      completions: sides.map((sample) => sampleIds(rollout, sample).completion),
      ...(reference === undefined
        ? {}
        : { referenceLogps: sides.map((sample) => reference[sample] ?? Number.NaN) }),
    });
  }
  const margin = rows.length === 0 ? undefined : margins / rows.length;
  return { rows: { length: rows.length, at: (position) => rows[position] }, ties, unscored, margin };
}
