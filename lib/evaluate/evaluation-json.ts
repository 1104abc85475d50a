// What an evaluation found as plain objects for JSON: figures, and a line per row. Pure.
// Must not write files.

import type { BestOfN } from "./best-of-n.js";
import type { Evaluation } from "./evaluate-model.js";
import type { EvaluatedRow } from "./evaluated-row.js";
import type { KlSummary, SampledKl } from "./kl.js";
import type { WinRate } from "./win-rate.js";

/** Everything but single rows. Figures that are not defined (means over nothing) become null in JSON. */
export function evaluationJson({ kind, type, counts, scoredBy, metrics, slices, kl, coverage }: Evaluation) {
  return {
    kind,
    type,
    ...(scoredBy === undefined ? {} : { scoredBy }),
    counts,
    ...metrics,
    ...(coverage === undefined ? {} : { bound: coverage }),
    ...(kl === undefined
      ? {}
      : {
          kl: {
            answers: kl.answers,
            tokens: kl.tokens,
            kl: klFigures(kl.kl),
            reverseKl: klFigures(kl.reverseKl),
          },
        }),
    ...(slices.length === 0
      ? {}
      : {
          slices: Object.fromEntries(
            slices.map(({ by, slices: groups }) => [
              by,
              Object.fromEntries(groups.map(({ value, metrics: ofGroup }) => [value, ofGroup])),
            ]),
          ),
        }),
  };
}

function klFigures({ answers: _, ...figures }: KlSummary) {
  return figures;
}

export function sampledKlJson({ answers: _, ...figures }: SampledKl) {
  return figures;
}

/** Without answers and their single scores. */
export function winRateJson({ ours, theirs, ...figures }: WinRate) {
  const side = ({ meanLength, cut }: WinRate["ours"]) => ({ meanLength, cut });
  return { ...figures, ours: side(ours), theirs: side(theirs) };
}

export function bestOfNJson({ prompts, ...figures }: BestOfN) {
  return { prompts: prompts.length, ...figures };
}

/** A line of --rows-output. */
export function rowJson(row: EvaluatedRow) {
  const { place, index, scores, lengths, label, ranks, rating, sums, reference, heads, means, widths } = row;
  return {
    ...place,
    index,
    scores,
    lengths,
    label,
    ...(ranks === undefined ? {} : { ranks }),
    ...(rating === undefined ? {} : { rating }),
    ...(sums === undefined ? {} : { logprobs: sums.map(({ logprob }) => logprob) }),
    ...(reference === undefined ? {} : { reference_logprobs: reference }),
    ...(heads === undefined ? {} : { heads }),
    ...(means === undefined ? {} : { means, widths }),
  };
}
